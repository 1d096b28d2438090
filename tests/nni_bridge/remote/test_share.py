"""What a trial on another machine finds there: NNI's manager, and the folder that is its own."""

import json
import os
from pathlib import Path

import pytest

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.nni_bridge.remote.share import link_shared, manager_of_worker, shared_words
from nni_emodarts.runtime.experiment_folder import serve_drawing, trial_folder
from nni_emodarts.runtime.ports import free_port


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a trial keeper gives a trial, whose environment this process has."""
    folder = tmp_path / "environments" / "remote-worker1" / "trials" / "Tr1al"
    folder.mkdir(parents=True)
    for name, value in {
        "NNI_PLATFORM": "remote", "NNI_TRIAL_JOB_ID": "Tr1al", "NNI_EXP_ID": "exp", "NNI_OUTPUT_DIR": str(folder),
        "NNI_TRIAL_COMMAND_CHANNEL": "http://localhost:1/env/remote-worker1/Tr1al",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("nni.get_next_parameter", lambda: {"fold": 3})
    monkeypatch.setattr(nni_trial, "_PAUSES", ())
    return folder


def _keeper(output: Path, name: str, channel: object, second: int) -> None:
    file = output.parent.parent / name / "trial_keeper_config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"managerCommandChannel": channel}))
    os.utime(file, (second, second))


def test_where_the_manager_is(output: Path) -> None:
    """As the trial keeper that began last was told; one whose file is broken is passed over."""
    assert manager_of_worker(output) is None
    _keeper(output, "trial_keeper_1", "ws://10.0.0.1:8080/some/prefix/platform/remote/1", 1)
    assert manager_of_worker(output) == "http://10.0.0.1:8080/some/prefix"
    _keeper(output, "trial_keeper_2", "ws://10.0.0.1:9090/platform/remote/2", 2)
    assert manager_of_worker(output) == "http://10.0.0.1:9090"
    _keeper(output, "trial_keeper_3", 7, 3)
    assert manager_of_worker(output) == "http://10.0.0.1:9090"


def test_a_trial_never_takes_what_may_be_its_neighbour_s(output: Path) -> None:
    with pytest.raises(ExperimentError, match="does not say where its manager is"):
        nni_trial.parameters()
    _keeper(output, "trial_keeper", f"ws://127.0.0.1:{free_port()}/platform/remote/1", 1)
    with pytest.raises(ExperimentError, match=r"manager at http://127\.0\.0\.1:\d+ does not say which fold"):
        nni_trial.parameters()


def test_runs_in_the_shared_folder_are_those_of_the_experiment(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such that whoever looks for a trial, or for its drawing, finds it."""
    shared, experiment = tmp_path / "shared", tmp_path / "home" / "exp"
    assert nni_trial.output_folder() == output
    assert shared_words(None) == ()
    for word in shared_words(shared)[1:]:
        monkeypatch.setenv(*word.split("=", 1))
    folder = nni_trial.output_folder()
    assert shared in folder.parents
    (folder / "architecture.svg").write_text("<svg/>")
    (experiment / "log").mkdir(parents=True)
    for _ in range(2):  # a tuner that goes on finds its link
        link_shared(experiment, shared)
    assert trial_folder(experiment, "Tr1al").resolve() == folder.resolve()
    serve_drawing(experiment, "Tr1al")
    assert (experiment / "log" / "Tr1al.svg").read_text() == "<svg/>"
    serve_drawing(experiment, "absent")
    monkeypatch.setenv("NNI_PLATFORM", "local")
    assert nni_trial.output_folder() == output, "the variable alone means nothing"
