"""The flat form of the space: what tuners and multi-trial strategies choose from."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.config import PRESETS, SpaceConfig, load_config
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import (
    architecture_at,
    count_architectures,
    flat_choices,
    flat_sample,
    nni_search_space,
)
from nni_emodarts.models.space import build_model

Run = Callable[..., tuple[int, str]]
ROOT = Path(__file__).parents[2]
SMALL = SpaceConfig(
    cnn_cells=2, cnn_nodes=1, reduction_cells=(1,), cnn_primitives=("max_pool_3x3", "none", "skip_connect"),
    seqnn_cells=1, seqnn_nodes=2, seqnn_primitives=("lstm_1", "skip_connect"),
)  # fmt: skip


def identify(space: SpaceConfig, choices: dict[str, str]) -> str:
    return Architecture.from_choices(space, choices, 4, (1, 40)).id


def test_every_combination_is_a_network_and_each_network_is_counted_once() -> None:
    table = flat_choices(SMALL)
    ids = {identify(SMALL, dict(zip(table, values, strict=True))) for values in itertools.product(*table.values())}
    ordered = [identify(SMALL, architecture_at(SMALL, index)) for index in range(count_architectures(SMALL))]
    assert len(ordered) == len(set(ordered)) == 2**2 * 2**2 * 2**2 * 3 * 2**2
    assert set(ordered) == ids


def test_the_paper_s_space_has_the_size_that_it_states() -> None:
    """Per cell of four nodes: 1 * 3 * 6 * 10 pairs of inputs, and two operations a node (see EmoDartsSpace)."""
    assert count_architectures(load_config("paper").space) == (180 * 7**8) ** 2 * 180 * 13**8


@given(st.data())
def test_flat_choices_come_back(data: st.DataObject) -> None:
    space = load_config("paper").space
    index = data.draw(st.integers(0, count_architectures(space) - 1))
    architecture = Architecture.from_choices(space, architecture_at(space, index), 4, (1, 128))
    assert identify(space, flat_sample(architecture)) == architecture.id


def test_a_flat_choice_builds() -> None:
    assert build_model(Architecture.from_choices(SMALL, architecture_at(SMALL, 17), 4, (1, 40))) is not None


@pytest.mark.parametrize("preset", PRESETS)
def test_the_shipped_search_spaces_are_what_the_command_writes(emodarts: Run, preset: str) -> None:
    shipped = (ROOT / "search_spaces" / f"{preset}.json").read_text()
    assert emodarts("space", "export", "--preset", preset, "--format", "nni") == (0, shipped)
    assert json.loads(shipped) == nni_search_space(load_config(preset).space)
    assert "none" not in shipped


def test_the_command_keeps_files(emodarts: Run, refused: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "new" / "space.json"
    assert emodarts("space", "export", "--preset", "tiny", "--out", file)[0] == 0
    refused("space", "export", "--preset", "tiny", "--out", file, says=("exists", "--overwrite"))
    refused("space", "export", "--preset", "tiny", "--format", "onnx", says=("onnx", "known: nni"))


@pytest.mark.parametrize("file", sorted((ROOT / "experiments").glob("*.yml")), ids=lambda file: file.stem)
def test_the_example_experiments_are_whole(file: Path) -> None:
    data = yaml.safe_load(file.read_text())
    assert (file.parent / data["searchSpaceFile"]).is_file()
    assert (file.parent / data["trialCodeDirectory"] / "retrain.py").is_file()
    assert data["tuner"]["classArgs"]["optimize_mode"] == "maximize", "a validation UAR"
    assert file.name in file.read_text().splitlines()[1]
