"""What a trial hands to NNI of its network: the tag of the experiment, the drawing."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from nni_emodarts.nni_bridge import trial as nni_trial

_TAGGING = (
    "import sys, pathlib; from nni_emodarts.nni_bridge import trial as nni_trial; "
    "nni_trial._tag_experiment(sys.argv[1], pathlib.Path(sys.argv[2]) / '.experiment')"
)


def _listed(home: Path) -> dict[str, list[str]]:
    return {name: entry["tag"] for name, entry in json.loads((home / ".experiment").read_text()).items()}


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    home = tmp_path / "nni-experiments"
    home.mkdir()
    listed = {name: {"id": name, "status": "RUNNING", "tag": tags} for name, tags in (("a", []), ("b", ["mine"]))}
    (home / ".experiment").write_text(json.dumps(listed))
    return home


def test_trials_that_start_at_once_tag_their_experiments(experiments: Path) -> None:
    """Nothing of the list is lost, and nothing is said twice."""
    words = [[sys.executable, "-c", _TAGGING, name, str(experiments)] for name in ("a", "b", "a", "b")]
    started = [subprocess.Popen(each) for each in words]
    assert [process.wait() for process in started] == [0] * 4
    assert _listed(experiments) == {"a": ["retiarii"], "b": ["mine", "retiarii"]}
    assert {entry["status"] for entry in json.loads((experiments / ".experiment").read_text()).values()} == {"RUNNING"}


def test_an_experiment_of_another_machine_is_not_listed(experiments: Path, tmp_path: Path) -> None:
    before = (experiments / ".experiment").read_text()
    nni_trial._tag_experiment("c", experiments / ".experiment")
    assert (experiments / ".experiment").read_text() == before
    nni_trial._tag_experiment("a", tmp_path / "absent" / ".experiment")
    assert not (tmp_path / "absent").exists()


def test_a_list_that_cannot_be_changed_ends_no_trial(
    experiments: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NNI_PLATFORM", "local")
    monkeypatch.setenv("NNI_TRIAL_JOB_ID", "Tr1al")
    monkeypatch.setenv("NNI_EXP_ID", "a")
    monkeypatch.setenv("HOME", str(experiments.parent))
    (experiments / ".experiment.emodarts").mkdir()
    with caplog.at_level(logging.WARNING):
        nni_trial.offer_visualization()
    assert "no tab for model.onnx" in caplog.text
    (experiments / ".experiment.emodarts").rmdir()
    nni_trial.offer_visualization()
    assert _listed(experiments)["a"] == ["retiarii"]


def test_where_a_drawing_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nni_trial.show_drawing(b"<svg/>") is None
    folder = tmp_path / "environments" / "local-env" / "trials" / "Tr1al"
    folder.mkdir(parents=True)
    monkeypatch.setenv("NNI_PLATFORM", "local")
    monkeypatch.setenv("NNI_TRIAL_JOB_ID", "Tr1al")
    monkeypatch.setenv("NNI_OUTPUT_DIR", str(folder))
    monkeypatch.setenv("NNI_TRIAL_COMMAND_CHANNEL", "http://localhost:8080/prefix/env/local-env/Tr1al")
    assert nni_trial.show_drawing(b"<svg/>") is None, "no manager writes its log here"
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "nnimanager.log").touch()
    assert nni_trial.show_drawing(b"<svg/>") == "http://localhost:8080/prefix/logs/Tr1al.svg"
    assert (tmp_path / "log" / "Tr1al.svg").read_bytes() == b"<svg/>"
