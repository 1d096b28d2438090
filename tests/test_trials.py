"""The trial scripts outside NNI, and the room that talks to it."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nni_emodarts.trials import arguments, pipeline, retrain, search
from process_groups import wait_until

from nni_emodarts import Architecture
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.models.space import random_architecture
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.runtime.run_folder import RunFolder


@pytest.mark.parametrize("script", ["pipeline", "search", "retrain", "candidate"])
def test_nothing_that_counts_threads_is_loaded_before_they_are_set(script: str) -> None:
    """OpenMP and OpenBLAS read their number once."""
    loaded = (
        f"import sys, nni_emodarts.trials.{script}; print({{'numpy', 'pandas', 'torch', 'scipy'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_quiet_outside_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNI_PLATFORM", raising=False)
    assert not nni_trial.in_trial()
    assert nni_trial.parameters() == {}
    nni_trial.report_intermediate(0.5)
    nni_trial.report_final(0.5, {})


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A manager that has noted other parameters for this trial than NNI's queue hands out."""
    answers: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(self.path, {})).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("NNI_PLATFORM", "local")
    monkeypatch.setenv("NNI_TRIAL_JOB_ID", "Tr1al")
    monkeypatch.setenv("NNI_TRIAL_COMMAND_CHANNEL", f"http://127.0.0.1:{server.server_port}/env/local-env/Tr1al")
    import nni.trial

    received = {"parameter_id": 7, "parameters": {"fold": 3}}
    monkeypatch.setattr(nni.trial, "_params", received)
    monkeypatch.setattr("nni.get_next_parameter", lambda: received["parameters"])
    yield answers
    server.shutdown()
    server.server_close()


def test_a_trial_takes_the_parameters_that_the_manager_noted(manager: dict[str, Any]) -> None:
    import nni.trial

    noted = {"parameter_id": 2, "parameters": {"fold": 1}}
    manager["/api/v1/nni/trial-jobs/Tr1al"] = {"hyperParameters": [json.dumps(noted)]}
    assert nni_trial.parameters() == {"fold": 1}
    assert nni.trial._params == noted, "the metric must be booked under the noted id"


def test_a_manager_that_does_not_answer(manager: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nni_trial, "_PAUSES", (0.01,))
    assert nni_trial.parameters() == {"fold": 3}


def test_pipeline_searches_and_scores_one_fold(small_manifest: Path, tmp_path: Path, fast_words: list[str]) -> None:
    out = tmp_path / "out"
    words = ["--manifest", str(small_manifest), "--preset", "tiny", "--protocol", "loso", "--fold", "1", "--seed", "3"]
    arguments.run("", pipeline.work, [*words, "--out", str(out), *fast_words])
    assert {path.name for path in out.iterdir()} == {
        "search", "config.yml", "architecture.json", "alphas.csv", "history.csv", "metrics.json", "predictions.csv",
        "environment.json", "corpus.json", "files.txt", "normalization.json", "weights.safetensors", "model.onnx",
        "architecture.svg",
    }  # fmt: skip
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["fold"], metrics["seed"]) == (1, 3)
    architecture = Architecture.load(out / "architecture.json")
    assert architecture.id == Architecture.load(out / "search" / "architecture.json").id == metrics["architecture"]
    assert "overlap" not in metrics


def test_a_trial_that_runs_again_does_not_search_again(
    fast_config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path)
    searched = folder.child("search")
    searched.write_json("architecture.json", random_architecture(fast_config.space, 4, (1, 40), 0).to_dict())
    searched.write_json("metrics.json", {"val_uar": 0.5})
    searched.write_text("alphas.csv", "epoch\n")
    monkeypatch.setattr("nni_emodarts.search.run.search_one_shot", lambda *a, **k: pytest.fail("searched again"))
    pipeline.work(arguments.TrialTask(fast_config, 0, 1, {}, folder, SimpleNamespace()))  # type: ignore[arg-type]
    assert folder.has("metrics.json")


def test_search_then_retrain_trial(small_manifest: Path, tmp_path: Path, fast_words: list[str]) -> None:
    words = ["--manifest", str(small_manifest), "--preset", "tiny", "--protocol", "kfold:3", *fast_words]
    arguments.run("", search.work, [*words, "--out", str(tmp_path / "search")])
    found = str(tmp_path / "search")
    words = ["--manifest", str(small_manifest), "--protocol", "kfold:3", "--architecture", found]
    arguments.run("", retrain.work, [*words, "--out", str(tmp_path / "retrain")])
    assert "test_uar" in json.loads((tmp_path / "retrain" / "metrics.json").read_text())
    with pytest.raises(SystemExit) as left:
        arguments.run("", retrain.work, [*words, "--fold", "1", "--out", str(tmp_path / "other")])
    assert left.value.code == 2
    assert not list((tmp_path / "other").iterdir())


def test_an_architecture_that_a_tuner_chose_reads_no_test_part(fast_config: ExperimentConfig, tmp_path: Path) -> None:
    drawn = random_architecture(fast_config.space, 4, (1, 40), 0)
    parsed = SimpleNamespace(architecture=None, preset="tiny", config=None, allow_overlap=False)
    folder = RunFolder.claim(tmp_path / "out")
    retrain.work(arguments.TrialTask(fast_config, 0, 1, flat_sample(drawn), folder, parsed))  # type: ignore[arg-type]
    metrics = json.loads((folder.path / "metrics.json").read_text())
    assert metrics["architecture"] == drawn.id
    assert not any(name.startswith("test_") for name in metrics)


def test_hyperband_s_budget_is_the_number_of_epochs(
    manager: dict[str, Any], small_manifest: Path, fast_config: ExperimentConfig, tmp_path: Path
) -> None:
    drawn = random_architecture(fast_config.space, 4, (1, 40), 0)
    noted = {"parameter_id": "0_0_1_xyz", "parameters": {**flat_sample(drawn), "TRIAL_BUDGET": 3}}
    manager["/api/v1/nni/trial-jobs/Tr1al"] = {"hyperParameters": [json.dumps(noted)]}
    words = [
        "--manifest",
        str(small_manifest),
        "--preset",
        "tiny",
        "--protocol",
        "loso",
        "--out",
        str(tmp_path / "out"),
    ]
    seen: list[arguments.TrialTask] = []
    arguments.run("", seen.append, words)
    assert seen[0].config.retrain.epochs == 3
    assert seen[0].choices == flat_sample(drawn)


@pytest.mark.parametrize("seed", [2**32, float("inf"), float("nan"), -1, 1.5, "1"])
def test_a_seed_that_no_generator_takes_is_refused(
    manager: dict[str, Any], seed: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noted = {"parameter_id": 0, "parameters": {"seed": seed}}
    manager["/api/v1/nni/trial-jobs/Tr1al"] = {"hyperParameters": [json.dumps(noted)]}
    with pytest.raises(SystemExit):
        arguments.run("", lambda trial: None, ["--manifest", "synthetic", "--out", str(tmp_path / "out")])
    assert f"seed: {seed!r} must be a whole number from 0 to 4294967295" in capsys.readouterr().err


def test_nni_s_hyperband_is_mended() -> None:
    """Its ids are texts such as 0_0_1_xyz; NNI compares them with a number."""
    from nni.algorithms.hpo.hyperband_advisor import Hyperband as Broken

    from nni_emodarts.nni_bridge.hyperband import Hyperband
    from nni_emodarts.nni_hyperband import Hyperband as Earlier

    assert Earlier is Hyperband, "experiments name it so"
    mended, broken = Hyperband.__new__(Hyperband), Broken.__new__(Broken)
    mended.recovered_max_param_id = broken.recovered_max_param_id = -1
    assert mended.is_created_in_previous_exp("0_0_1_xyz") is False
    assert mended.is_created_in_previous_exp(None) is False
    with pytest.raises(TypeError):
        broken.is_created_in_previous_exp("0_0_1_xyz")


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_trial_that_a_signal_ends_is_no_success(
    sent: signal.Signals, status: int, small_manifest: Path, tmp_path: Path
) -> None:
    """NNI cancels a trial by SIGINT, and takes one that ends by a signal for cancelled."""
    words = ["--manifest", str(small_manifest), "--preset", "tiny", "--protocol", "loso", "--set", "search.epochs=5000"]
    command = [sys.executable, "-m", "nni_emodarts.trials.search", *words, "--out", str(tmp_path / "out")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
        )
    try:
        wait_until(lambda: "search: 0/5000" in (tmp_path / "log").read_text(), 90)
        time.sleep(2)  # into the training
        process.send_signal(sent)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    said = (tmp_path / "log").read_text()
    assert process.returncode == status, said
    assert "Traceback" not in said


def test_a_machine_at_its_limits_is_one_message(
    small_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(trial: arguments.TrialTask) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(trial.folder.path / "weights"))

    words = ["--manifest", str(small_manifest), "--preset", "tiny", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as left:
        arguments.run("", full, words)
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith(
        f"error: {tmp_path}/out/weights: No space left on device; free some space"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--fold", "0"], "--out is missing"),
        (["--out", "OUT"], "--architecture is missing"),
        (["--out", "OUT", "--preset", "big"], "big"),
    ],
)
def test_bad_arguments(
    words: list[str], says: str, tmp_path: Path, small_manifest: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["retrain.py"])
    words = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    with pytest.raises(SystemExit) as left:
        arguments.run("", retrain.work, ["--manifest", str(small_manifest), *words])
    assert left.value.code == 2
    assert says in capsys.readouterr().err
