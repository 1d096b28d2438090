"""An experiment over folds that is stopped and goes on: every fold once."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from process_groups import wait_until

from nni_emodarts.nni_bridge import manager
from nni_emodarts.nni_bridge.each_point_once import EachPointOnce
from nni_emodarts.nni_bridge.experiment import started, stop
from nni_emodarts.nni_bridge.experiment_file import experiment_yaml
from nni_emodarts.nni_bridge.manager import Manager
from nni_emodarts.runtime.ports import free_port

_SPACE = {"fold": {"_type": "choice", "_value": [0, 1, 2]}, "seed": {"_type": "choice", "_value": [1, 2]}}
_TRIAL = """
import sys, time
import nni
from pathlib import Path
fold = nni.get_next_parameter()["fold"]
went = Path(sys.argv[1]) / f"fold_{fold}"
with went.open("a") as file:
    file.write("x")
if fold == 1:
    sys.exit(3)
if fold == 2 and len(went.read_text()) == 1:
    time.sleep(300)
nni.report_final_result(0.5)
"""


@pytest.mark.slow
def test_each_fold_has_one_trial(home: Path, tmp_path: Path) -> None:
    """One has succeeded, one has failed, one is interrupted; of the fourth nothing is known when it is stopped."""
    script = tmp_path / "trial.py"
    script.write_text(_TRIAL)
    data = yaml.safe_load(experiment_yaml("test", [], [0, 1, 2, 3], [1], concurrency=1))
    data["trialCommand"] = f"{sys.executable} {script} {tmp_path}"
    (tmp_path / "e.yml").write_text(yaml.safe_dump(data))
    with started(tmp_path / "e.yml") as begun:
        name = begun.profile()["id"]
        wait_until(lambda: (tmp_path / "fold_2").exists(), 120)
    port = free_port()
    nnictl = str(Path(sys.executable).with_name("nnictl"))
    subprocess.run([nnictl, "resume", name, "--port", str(port)], capture_output=True, check=True)
    again = Manager(port)
    try:
        wait_until(lambda: again.status() == "DONE", 120)
        trials = again.trials()
    finally:
        stop(again)
    assert sorted(trial.parameters["fold"] for trial in trials) == [0, 1, 2, 3]
    ended = {trial.parameters["fold"]: trial.status for trial in trials}
    assert ended == {0: "SUCCEEDED", 1: "FAILED", 2: "SUCCEEDED", 3: "SUCCEEDED"}
    assert [len((tmp_path / f"fold_{fold}").read_text()) for fold in range(4)] == [1, 1, 2, 1]


def _trials(*points: tuple[int, int]) -> list[dict[str, Any]]:
    noted = [json.dumps({"parameter_id": 0, "parameters": {"fold": fold, "seed": seed}}) for fold, seed in points]
    running = [{"trialJobId": "a", "status": "RUNNING", "hyperParameters": [each]} for each in noted]
    return [*running, {"trialJobId": "b", "status": "WAITING"}]


def _handed_out(tuner: EachPointOnce) -> list[tuple[int, int]]:
    import nni

    tuner.update_search_space(_SPACE)
    found: list[tuple[int, int]] = []
    with suppress(nni.NoMoreTrialError):
        while True:
            point = tuner.generate_parameters(len(found))
            found.append((point["fold"], point["seed"]))
    return found


def test_points_that_trials_have_are_handed_out_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [(fold, seed) for fold in (0, 1, 2) for seed in (1, 2)]
    monkeypatch.delenv("NNI_MODE", raising=False)
    assert _handed_out(EachPointOnce()) == every
    root = "http://localhost:8080/some/prefix/api/v1/nni"
    answers = {
        f"{root}/experiment": {"id": "e", "params": {"experimentWorkingDirectory": "/absent"}},
        f"{root}/trial-jobs": _trials((0, 1), (2, 2)),
        f"{root}/metric-data": [],
    }
    monkeypatch.setattr(manager, "ask", lambda address, tries: answers[address])
    monkeypatch.setenv("NNI_MODE", "resume")
    monkeypatch.setenv("NNI_TUNER_COMMAND_CHANNEL", "ws://localhost:8080/some/prefix/tuner")
    assert _handed_out(EachPointOnce()) == [point for point in every if point not in ((0, 1), (2, 2))]
