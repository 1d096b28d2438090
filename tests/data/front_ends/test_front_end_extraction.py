"""Levels in the feature store: how they lie there, what is computed again, and what the disk must have room for."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from nni_emodarts.config import PretrainedStream, load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.features import build_store, fill_store, read_audio, room
from nni_emodarts.data.front_ends.extraction import PretrainedExtractor
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.errors import ConfigError
from tests.data.front_ends.encoders import make_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder")
    make_encoder(folder, "whisper")
    return folder


@pytest.fixture(scope="module")
def manifest(small_manifest: Path) -> Manifest:
    return read_manifest(small_manifest)


def extractor(folder: Path, **options: Any) -> PretrainedExtractor:
    return PretrainedExtractor(PretrainedStream(name="speech", model=str(folder), **options), "cpu")


def test_levels_are_kept_in_float16_level_after_level(folder: Path, manifest: Manifest, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int, dict[str, float]]] = []
    hears = extractor(folder, levels=[1, 3])
    store = build_store(
        manifest, hears, tmp_path, 1, lambda what, *step, **figures: steps.append((what, *step, figures))
    )
    waveform = read_audio(manifest.table["file"].iloc[5], 16_000)
    (levels,) = hears.front_end([waveform])
    assert store[5].dtype == np.float16
    assert store[5].shape == (64, -(-len(waveform) // 1280))
    np.testing.assert_array_equal(store[5], levels.reshape(64, -1).astype(np.float16))
    *step, figures = steps[-1]
    assert step == ["features", 48, 48]
    on_disk = sum(file.stat().st_blocks * 512 for file in tmp_path.rglob("*.npy"))
    assert figures["GB"] * 1e9 == pytest.approx(on_disk, rel=0.1)


def test_only_what_is_missing_is_computed(folder: Path, manifest: Manifest, tmp_path: Path) -> None:
    build_store(manifest.pick(np.arange(20)), extractor(folder), tmp_path, 1)
    files = sorted(tmp_path.rglob("*.npy"))
    stamps = {file: file.stat().st_mtime_ns for file in files}
    files[0].write_bytes(files[0].read_bytes()[:-40])
    build_store(manifest, extractor(folder), tmp_path, 1)
    now = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")}
    assert len(now) == 48
    assert [file for file in files if now[file] != stamps[file]] == files[:1]


def test_a_shelf_is_known_by_the_weights_and_not_by_their_place(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings = extractor(folder).settings
    assert extractor(copy).settings == settings
    assert settings["precision"] == "float32"
    for other in ({"levels": [0]}, {"hop_ms": 40}, {"padding": 1.0}):
        assert extractor(folder, **other).settings != settings
    torch.manual_seed(9)
    make_encoder(tmp_path / "other", "whisper")
    assert extractor(tmp_path / "other").settings != settings


def test_processes_give_the_same_levels(
    folder: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_emodarts.data.features.building.POOL_PAYS_SECONDS", 0.0)
    few = manifest.pick(np.arange(40))
    alone = build_store(few, extractor(folder), tmp_path / "one", 1)
    monkeypatch.setattr(PretrainedExtractor, "most_workers", lambda self, wanted: wanted)
    together = build_store(few, extractor(folder), tmp_path / "two", 2)
    for row in range(40):
        np.testing.assert_array_equal(alone[row], together[row])


def test_recordings_that_cannot_be_used_are_named_and_end_nothing(
    folder: Path, manifest: Manifest, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    table = manifest.table.iloc[[0, 1, 0, 2, 2]].reset_index(drop=True)
    table.loc[[1, 3], "file"] = str(tmp_path / "silent.wav")
    store, reasons = fill_store(Manifest(table, manifest.classes, ""), extractor(folder), tmp_path / "cache", 1)
    assert sorted(reasons) == [1, 3]
    assert "is silent" in reasons[1]
    np.testing.assert_array_equal(store[0], store[2])


def test_a_disk_that_lacks_the_room_is_told_before_anything_is_computed(
    folder: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    with pytest.raises(ConfigError, match=r"data\.cache: the features need .* GB .*are free; name fewer levels of"):
        build_store(manifest, extractor(folder), tmp_path / "cache", 1)
    assert not list(tmp_path.rglob("*.npy"))


def test_what_segments_take_is_worked_out_from_their_bounds(manifest: Manifest) -> None:
    file = manifest.table["file"].iloc[0]
    seconds = room.read_seconds([(file, None, None), (file, 0.1, 0.4), ("/no/such/file.wav", None, None)], 2)
    assert seconds.tolist() == pytest.approx([soundfile.info(file).duration, 0.3, 0.0], abs=1e-3)


def test_a_configuration_is_pinned_to_what_it_heard_with(folder: Path) -> None:
    stream = {"name": "speech", "kind": "pretrained", "model": str(folder)}
    config = pinned(load_config("tiny", options={"features.streams": [stream]}))
    (settled,) = config.features.pretrained
    assert settled.levels == (0, 1, 2, 3)
    assert settled.padding == 2.0
    assert settled.digest == extractor(folder).facts.digest
    assert pinned(config) == config
    assert pinned(load_config("tiny")) == load_config("tiny")


def test_a_corpus_hears_the_levels(folder: Path, small_manifest: Path, tmp_path: Path) -> None:
    stream = {"name": "speech", "kind": "pretrained", "model": str(folder), "padding": 0}
    options = {"data.manifest": str(small_manifest), "data.cache": str(tmp_path), "features.streams": [stream]}
    corpus = load_corpus(pinned(load_config("pretrained", options=options)))
    assert corpus.input_shape == (4, 32)
    assert [facts.model for facts in corpus.front_ends] == [str(folder)]


@pytest.mark.parametrize("command", ["search", "benchmark"])
def test_commands_take_a_front_end(
    command: str, folder: Path, small_manifest: Path, tmp_path: Path, refused: Callable[..., None]
) -> None:
    """And refuse what the model does not have before recordings are read."""
    more = ["--methods", "darts", "--name", "x"] if command == "benchmark" else []
    words = ["--manifest", small_manifest, "--out", tmp_path / "out", *more, "--set", "data.workers=1"]
    refused(command, *words, "--front-end", tmp_path / "nothing", says=("there is no such folder",))
    stream = f"features.streams=[{{name: a, kind: pretrained, model: {folder}, levels: [7]}}]"
    refused(command, *words, "--set", stream, says=("asks for level 7", "levels are 0 to 3"))
