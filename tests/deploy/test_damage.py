"""Damage of any bit of what decides an answer is found, and the file is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from nni_emodarts import EmotionRecognizer
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.errors import RunFolderError
from nni_emodarts.report.live.viewer import find_graph

FLIPS = 40


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def bits(data: bytes, seed: int) -> list[int]:
    """Some bits anywhere, and as many near both ends, where headers and metadata lie."""
    generator = np.random.default_rng(seed)
    size, ends = 8 * len(data), min(8 * len(data), 8 * 400)
    near = generator.integers(ends, size=2 * FLIPS)
    return [*generator.integers(size, size=FLIPS), *near[:FLIPS], *(size - 1 - near[FLIPS:])]


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "one.onnx"
    ship(open_network(run), out, int8=True)
    return out


@pytest.fixture
def final(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run / "final", tmp_path / "final"))


@pytest.mark.parametrize("name", ["weights.safetensors", "normalization.json", "model.onnx"])
def test_a_flipped_bit_of_a_run_is_found(name: str, final: Path) -> None:
    sound = (final / name).read_bytes()
    for bit in bits(sound, 0):
        (final / name).write_bytes(flipped(sound, int(bit)))
        with pytest.raises(RunFolderError, match=name):
            EmotionRecognizer.from_run(final)
    (final / name).write_bytes(sound)
    EmotionRecognizer.from_run(final)


@pytest.mark.parametrize("name", ["weights.safetensors", "normalization.json", "model.onnx"])
def test_a_cut_file_of_a_run_is_found(name: str, final: Path) -> None:
    sound = (final / name).read_bytes()
    for length in (0, 1, 8, len(sound) // 2, len(sound) - 1):
        (final / name).write_bytes(sound[:length])
        with pytest.raises(RunFolderError, match=name):
            EmotionRecognizer.from_run(final)


def test_files_of_another_network_of_one_s_own_are_found(run: Path, final: Path) -> None:
    """They fit the architecture in every shape."""
    for name in ("weights.safetensors", "normalization.json"):
        sound = (final / name).read_bytes()
        shutil.copy(run / "fold_00" / "seed_1" / name, final / name)
        with pytest.raises(RunFolderError, match=f"{name} is damaged or was edited.*restore it from a copy"):
            EmotionRecognizer.from_run(final)
        (final / name).write_bytes(sound)


def test_a_run_of_an_earlier_version_states_no_digests(final: Path, clips: list[Path]) -> None:
    expected = EmotionRecognizer.from_run(final).predict(clips[0])
    metrics = json.loads((final / "metrics.json").read_text())
    assert set(metrics["digests"]) == {"weights.safetensors", "normalization.json", "model.onnx"}
    del metrics["digests"]
    (final / "metrics.json").write_text(json.dumps(metrics))
    assert EmotionRecognizer.from_run(final).predict(clips[0]) == expected


@pytest.mark.parametrize("kind", ["one.onnx", "one.int8.onnx"])
def test_a_flipped_bit_of_an_exported_file_is_found(kind: str, exported: Path, tmp_path: Path) -> None:
    sound = exported.with_name(kind).read_bytes()
    damaged = tmp_path / "damaged.onnx"
    for bit in bits(sound, 1):
        damaged.write_bytes(flipped(sound, int(bit)))
        with pytest.raises(RunFolderError, match=r"damaged\.onnx is damaged"):
            EmotionRecognizer.from_onnx(damaged)
    for length in (1000, len(sound) // 2, len(sound) - 1):
        damaged.write_bytes(sound[:length])
        with pytest.raises(RunFolderError, match=r"damaged\.onnx is damaged"):
            EmotionRecognizer.from_onnx(damaged)


def test_every_bit_of_what_marks_an_exported_file(exported: Path) -> None:
    """A file whose mark or digest is damaged is not taken for one of an earlier version, which had neither."""
    from nni_emodarts.deploy.onnx_network import OnnxNetwork

    sound = exported.read_bytes()
    for marked in (b"\x12\x0cnni_emodarts", b"sha256:", b"digest"):
        first = sound.index(marked)
        for bit in range(8 * first, 8 * (first + len(marked))):
            with pytest.raises(RunFolderError, match="is damaged"):
                OnnxNetwork(flipped(sound, bit))


def test_an_exported_file_of_an_earlier_version_is_taken(exported: Path, clips: list[Path], tmp_path: Path) -> None:
    model = onnx.load(exported)
    model.producer_name = "pytorch"
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != "digest"}
    onnx.helper.set_model_props(model, kept)
    earlier = tmp_path / "earlier.onnx"
    onnx.save(model, earlier)
    answers = [EmotionRecognizer.from_onnx(file).predict(clips[0]) for file in (exported, earlier)]
    assert answers[0] == answers[1]


def test_a_damaged_graph_is_not_shown(final: Path) -> None:
    assert find_graph(final) == final / "model.onnx"
    (final / "model.onnx").write_bytes(flipped((final / "model.onnx").read_bytes(), 4321))
    with pytest.raises(RunFolderError, match=r"model\.onnx is damaged"):
        find_graph(final)


@pytest.mark.parametrize("change", [lambda text: text[:-40], lambda text: text.replace("anger", "neutral", 1)])
def test_predictions_that_were_changed_make_no_card(change: Callable[[str], str], run: Path, tmp_path: Path) -> None:
    from nni_emodarts.deploy.model_card import model_card

    copy = Path(shutil.copytree(run, tmp_path / "run"))
    model_card(open_network(copy))
    (copy / "predictions.csv").write_text(change((copy / "predictions.csv").read_text()))
    with pytest.raises(RunFolderError, match=r"predictions\.csv is damaged or was edited"):
        model_card(open_network(copy))
