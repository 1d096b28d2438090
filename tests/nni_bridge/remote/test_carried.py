"""A run folder that travels inside a result."""

import base64
import json
import logging
import lzma
from pathlib import Path

import nni
import pytest

from nni_emodarts.nni_bridge.remote import carried


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with what travels, what does not, and what is none of a run's."""
    folder = tmp_path / "Tr1al"
    (folder / "search").mkdir(parents=True)
    for name in ("metrics.json", "predictions.csv", "config.yml", "architecture.svg", "search/alphas.csv"):
        (folder / name).write_text(f"{name} äöü\n")
    for name in ("weights.safetensors", "model.onnx", "trial.stdout", "secret.json", "search/checkpoint.ckpt"):
        (folder / name).write_bytes(b"\0\xff")
    return folder


def _files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_figures_arrive_as_they_were(run: Path, tmp_path: Path) -> None:
    packed = carried.pack(run, "Tr1al")
    assert packed is not None
    assert packed.isascii()
    assert nni.load(nni.dump({"a": packed})) == {"a": packed}, "NNI's JSON knows comments"
    folder = carried.unpack(packed, tmp_path / "there")
    assert folder == tmp_path / "there" / "Tr1al"
    names = ("metrics.json", "predictions.csv", "config.yml", "architecture.svg", "search/alphas.csv")
    assert _files(folder) == {name: f"{name} äöü\n" for name in names}
    assert carried.unpack(packed, tmp_path / "there") == folder, "a manager that goes on is told of results again"


def test_what_is_too_large_stays(run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(carried, "_LARGEST", 100)
    with caplog.at_level(logging.ERROR):
        assert carried.pack(run, "Tr1al") is None
    assert "--shared folder" in caplog.text


def _packed(data: object) -> str:
    return base64.urlsafe_b64encode(lzma.compress(json.dumps(data).encode())).decode()


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "no base 64 \x00",
        base64.urlsafe_b64encode(b"no archive").decode(),
        _packed([]),
        _packed({"trial": "../a", "files": {}}),
        _packed({"trial": "", "files": {}}),
        _packed({"trial": "a", "files": {"../metrics.json": ""}}),
        _packed({"trial": "a", "files": {"search/../metrics.json": ""}}),
        _packed({"trial": "a", "files": {"/etc/metrics.json": ""}}),
        _packed({"trial": "a", "files": {"model.onnx": ""}}),
        _packed({"trial": "a", "files": {"metrics.json": 1}}),
        _packed({"trial": "a", "files": {"metrics.json": "x" * 10_000}}),
        _packed({"trial": "a", "files": {"metrics.json": ""}})[:-10],
    ],
)
def test_what_no_trial_sends_is_refused(packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written then; a small text may stand for a very large one."""
    monkeypatch.setattr(carried, "_LARGEST_UNPACKED", 9000)
    with pytest.raises(ValueError):
        carried.unpack(packed, tmp_path / "there")
    assert not (tmp_path / "there").exists()
