"""TensorBoard reads what was recorded, of any folder with runs in it, also while they grow."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import requests

from nni_emodarts.errors import ExperimentError
from nni_emodarts.report.live.board import shown
from nni_emodarts.report.live.events import Events
from nni_emodarts.runtime.ports import free_port

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
    curves = read(out / "mine" / "fold_01" / "seed_2")
    assert [step for step, _ in curves["figures/val_uar"]] == list(history["epoch"])
    assert [value for _, value in curves["figures/val_uar"]] == pytest.approx(list(history["val_uar"]))
    searched = read(out / "search")
    alphas = pd.read_csv(search_run / "alphas.csv")
    rows = alphas[(alphas["label"] == "seqnn_2_0") & (alphas["choice"] == "lstm_1")]
    assert [value for _, value in searched["seqnn_2_0/lstm_1"]] == pytest.approx(list(rows["probability"]))
    assert emodarts("tensorboard", search_run, "--out", out)[0] == 2
    assert emodarts("tensorboard", search_run, "--out", out, "--overwrite")[0] == 0
    assert len(list(out.glob("search/events*"))) == 1


def test_any_folder_will_do(search_run: Path, retrain_run: Path, tmp_path: Path) -> None:
    """An NNI experiment, and the runs of a benchmark, hold their runs at other depths."""
    pytest.importorskip("tensorboard")
    trial = tmp_path / "experiment" / "environments" / "local-env" / "trials" / "AbCdE"
    shutil.copytree(search_run, trial / "search")
    shutil.copytree(retrain_run, tmp_path / "bench" / "darts" / "1a2b3c")
    events = Events([str(tmp_path / "experiment"), str(tmp_path / "bench")], tmp_path / "out")
    events.update()
    events.close()
    places = {str(folder.relative_to(tmp_path / "out")) for folder in events.folders}
    assert "experiment/AbCdE/search" in places
    assert "bench/darts/1a2b3c/fold_00/seed_1" in places


def test_a_run_that_grows_is_followed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = tmp_path / "run"
    run.mkdir()
    events = Events([str(run)], tmp_path / "out")
    events.update()
    assert not events.folders, "nothing is there yet"
    for epochs in (1, 1, 3):
        table = pd.DataFrame({"epoch": range(1, epochs + 1), "val_uar": [0.1 * epoch for epoch in range(epochs)]})
        table.to_csv(run / "history.csv", index=False)
        events.update()
        assert [step for step, _ in read(tmp_path / "out" / "run")["figures/val_uar"]] == list(table["epoch"])
    pd.DataFrame({"epoch": [1], "val_uar": [0.9]}).to_csv(run / "history.csv", index=False)  # begun anew
    events.update()
    assert read(tmp_path / "out" / "run")["figures/val_uar"] == [(1, pytest.approx(0.9))]
    events.close()


@pytest.mark.slow
def test_tensorboard_is_served_until_it_is_interrupted(search_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    port = free_port()
    words = [sys.executable, "-m", "nni_emodarts", "tensorboard", search_run, "--no-browser", "--port", str(port)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"TensorBoard: http://localhost:{port}; Ctrl+C ends it\n"
        time.sleep(1)
        found = requests.get(f"http://localhost:{port}/data/runs", timeout=30).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert found == ["search"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://localhost:{port}", timeout=5)
    assert not list(tmp_path.glob("emodarts-*")), "event files are cleared up"


def test_figures_of_a_benchmark_are_not_curves(emodarts: Run, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "small.json").write_text("{}")
    code, said = emodarts("tensorboard", tmp_path / "small.json", "--out", tmp_path / "events")
    assert code == 2
    assert "--runs" in said


def test_without_tensorboard_the_remedy_is_reported(
    emodarts: Run, search_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorboard", "tensorboard.compat.proto", "tensorboard.summary.writer"):
        monkeypatch.setitem(sys.modules, name, None)
    code, said = emodarts("tensorboard", search_run, "--out", tmp_path / "events")
    assert code == 2
    assert "nni_emodarts[tensorboard]" in said


def test_a_port_that_is_taken_is_not_announced(search_run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ExperimentError, match=f"port {port} cannot be used"), shown([str(search_run)], port):
            pass
