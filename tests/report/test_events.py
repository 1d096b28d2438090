"""TensorBoard reads what was recorded."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Run = Callable[..., tuple[int, str]]


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    (file,) = folder.glob("events.out.tfevents.*")
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in loader.LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            curves.setdefault(value.tag, []).append((event.step, value.simple_value))
    return curves


def test_event_files(emodarts: Run, search_run: Path, retrain_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    out = tmp_path / "events"
    code, said = emodarts("tensorboard", search_run, f"mine={retrain_run}", "--out", out)
    assert code == 0, said
    assert "tensorboard --logdir" in said
    history = pd.read_csv(retrain_run / "fold_01" / "seed_2" / "history.csv")
    curves = read(out / "mine" / "fold_1_seed_2" / "network")
    assert [step for step, _ in curves["val_uar"]] == list(history["epoch"])
    assert [value for _, value in curves["val_uar"]] == pytest.approx(list(history["val_uar"]))
    searched = read(out / "search" / "fold_0_seed_1" / "search")
    alphas = pd.read_csv(search_run / "alphas.csv")
    rows = alphas[(alphas["label"] == "seqnn_2_0") & (alphas["choice"] == "lstm_1")]
    assert [value for _, value in searched["seqnn_2_0/lstm_1"]] == pytest.approx(list(rows["probability"]))
    assert emodarts("tensorboard", search_run, "--out", out)[0] == 2
    assert emodarts("tensorboard", search_run, "--out", out, "--overwrite")[0] == 0
    assert len(list(out.glob("search/*/search/events*"))) == 1


def test_without_tensorboard_the_remedy_is_told(
    emodarts: Run, search_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorboard", "tensorboard.compat.proto", "tensorboard.summary.writer"):
        monkeypatch.setitem(sys.modules, name, None)
    code, said = emodarts("tensorboard", search_run, "--out", tmp_path / "events")
    assert code == 2
    assert "nni_emodarts[tensorboard]" in said
