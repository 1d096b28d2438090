"""Drawings say what the architecture is, whatever it is, and are written like any other result."""

import io
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from nni_emodarts.config import load_config
from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture, cell_kinds
from nni_emodarts.models.costs import architecture_cost, network_blocks
from nni_emodarts.models.space import build_model, random_architecture
from nni_emodarts.report.drawings.alphas import Alphas, strengths
from nni_emodarts.report.drawings.canvas import png, svg
from nni_emodarts.report.drawings.cells import describe_cell, draw_cell
from nni_emodarts.report.drawings.drawing import draw, find_subject
from nni_emodarts.report.drawings.families import FAMILIES, family, readable
from nni_emodarts.report.drawings.network import big, describe_network, draw_network
from nni_emodarts.runtime.run_folder import RunFolder

Run = Callable[..., tuple[int, str]]


@pytest.fixture(params=["paper", "compact", "tiny"])
def architecture(request: pytest.FixtureRequest) -> Architecture:
    config = load_config(request.param)
    return random_architecture(config.space, 4, config.features.input_shape, 3)


def test_blocks_add_up_to_the_network(architecture: Architecture) -> None:
    blocks = network_blocks(architecture, 150)
    assert sum(block.parameters for block in blocks) == architecture_cost(architecture, "parameters", 150)
    assert sum(block.flops for block in blocks) == architecture_cost(architecture, "flops", 150)
    parameters = sum(parameter.numel() for parameter in build_model(architecture).parameters())
    assert sum(block.parameters for block in blocks) == parameters
    space = architecture.space
    kinds = ["reduce" if cell in space.reductions else "normal" for cell in range(space.cnn_cells)]
    expected = ["stem", *kinds, "bridge", *["seqnn"] * space.seqnn_cells, "pooling", "classifier"]
    assert [block.kind for block in blocks] == expected


def test_blocks_leave_what_modules_leave(architecture: Architecture) -> None:
    import torch

    model = build_model(architecture).eval()
    left: list[tuple[int, ...]] = []
    modules = [model.stem, *model.cnn_cells, model.bridge, *model.seqnn_cells, model.pooling, model.classifier]
    for module in modules:
        module.register_forward_hook(lambda _module, _inputs, out: left.append(tuple(out.shape[1:])))
    model(torch.zeros(1, *architecture.input_shape, 90), torch.tensor([90]))
    assert [block.out for block in network_blocks(architecture, 90)] == left


def test_every_cell_is_drawn_and_described(architecture: Architecture) -> None:
    for kind in cell_kinds(architecture.space):
        figure = draw_cell(architecture, kind, {})
        text = " ".join(each.get_text() for each in figure.axes[0].texts)
        words = describe_cell(architecture, kind)
        chosen = [
            choice for label, choice in architecture.choices.items()
            if isinstance(choice, str) and label.startswith(f"{kind}_")
        ]  # fmt: skip
        for operation in chosen:
            assert readable(operation) in text
            assert readable(operation) in words
        assert ElementTree.fromstring(svg(figure)).tag.endswith("svg")
    drawn = draw_network(architecture, 150, "3 s of audio")
    assert Image.open(io.BytesIO(png(drawn))).size[0] > 1000
    assert "parameters" in describe_network(architecture, 150, "3 s of audio")


def test_equal_drawings_are_equal_bytes(architecture: Architecture) -> None:
    first, second = (draw_cell(architecture, "seqnn", {}) for _ in range(2))
    assert svg(first) == svg(second)


def test_every_operation_has_a_family_and_a_name() -> None:
    space = load_config("paper").space
    names = [*space.cnn_primitives, *space.sequence_operations]
    assert all(family(name) is not FAMILIES[-1] for name in names if name != "none")
    assert len({readable(name) for name in names}) == len(set(names))
    assert readable("lstm_att_2") == "LSTM ×2 + attention"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 "), (999, "999 "), (1000, "1.00 k"), (12_345_678, "12.3 M"), (999_900, "1.00 M"),
                         (123_456, "123 k")]
)  # fmt: skip
def test_big_numbers(number: float, text: str) -> None:
    assert big(number) == text


def test_strengths_are_products_of_probabilities(search_run: Path) -> None:
    subject = find_subject(search_run)
    alphas = Alphas.read(RunFolder(search_run))
    assert alphas is not None
    assert alphas.epochs == [0, 1]
    found = strengths(subject.architecture, alphas.last)
    operations = [label for label, choice in subject.architecture.choices.items() if isinstance(choice, str)]
    assert sorted(found) == sorted(operations)
    label = operations[0]
    node, state = label.rsplit("_", 1)
    expected = alphas.last[label][str(subject.architecture.choices[label])] * alphas.last[node][state]
    assert found[label] == pytest.approx(expected)


def test_draw_command(emodarts: Run, search_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawings"
    code, said = emodarts("draw", search_run, "--out", out)
    assert code == 0, said
    names = {file.name for file in out.iterdir()}
    cells = {f"{kind}.{suffix}" for kind in ("normal", "reduce", "seqnn") for suffix in ("svg", "png")}
    assert names >= cells | {"network.svg", "network.png", "alphas_seqnn.svg", "search.png", "search.gif"}
    assert not [name for name in names if name.startswith(".")], "nothing half-written is left"
    with Image.open(out / "search.gif") as film:
        assert film.n_frames == 2
    code, said = emodarts("draw", search_run / "architecture.json", "--out", out)
    assert code == 2
    assert "--overwrite" in said
    assert emodarts("draw", search_run / "architecture.json", "--out", out, "--overwrite")[0] == 0


def test_an_architecture_alone_is_drawn(tmp_path: Path, search_run: Path) -> None:
    (tmp_path / "mine.json").write_text((search_run / "architecture.json").read_text())
    subject = find_subject(tmp_path / "mine.json")
    assert subject.search is None
    assert subject.length == (300, "maps of 300 frames")
    assert {file.name for file in draw(tmp_path / "mine.json", tmp_path / "out")} >= {"network.svg"}


def test_what_cannot_be_drawn_is_reported(emodarts: Run, retrain_run: Path, tmp_path: Path) -> None:
    assert emodarts("draw", tmp_path / "no.json", "--out", tmp_path / "a")[0] == 2
    with pytest.raises(RunFolderError, match=r"holds no architecture\.json; name one of those in it"):
        find_subject(retrain_run.parent)
    with pytest.raises(RunFolderError, match="name a run folder"):
        find_subject(tmp_path)
    (tmp_path / "file").write_text("")
    code, said = emodarts("draw", retrain_run, "--out", tmp_path / "file")
    assert code == 2
    assert "is a file" in said
