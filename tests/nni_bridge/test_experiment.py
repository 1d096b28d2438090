"""A real experiment: nnictl, its manager, two trials at once, REST, and the pooled table."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
import requests
import yaml
from process_groups import wait_until
from sklearn.metrics import recall_score

from nni_emodarts.cli.console import show_pooled
from nni_emodarts.errors import ExperimentError
from nni_emodarts.metrics.scores import pooled_table
from nni_emodarts.nni_bridge import nnictl
from nni_emodarts.nni_bridge.each_point_once import EachPointOnce
from nni_emodarts.nni_bridge.experiment import started, wait
from nni_emodarts.nni_bridge.experiment_file import Asked, experiment_yaml, read_experiment
from nni_emodarts.nni_bridge.manager import Manager
from nni_emodarts.nni_bridge.pooling import pool_trials, trial_folders
from nni_emodarts.nni_bridge.rest import ask
from nni_emodarts.runtime.ports import free_port


@pytest.fixture(scope="module")
def written(small_manifest: Path, home: Path, fast_words: list[str]) -> Path:
    words = ["--manifest", str(small_manifest), "--preset", "tiny", "--protocol", "kfold:3", *fast_words]
    file = home / "experiment.yml"
    file.write_text(experiment_yaml("test", words, [0, 1, 2], [1], concurrency=2))
    return file


@pytest.mark.slow
def test_every_trial_reports_what_its_folder_holds(written: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the environment names proxies that know nothing of this machine."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    counts: list[int] = []
    with started(written) as manager:
        trials = wait(manager, Asked(3), lambda seen: counts.append(len(seen)))
        jobs = ask(f"http://localhost:{manager.port}/api/v1/nni/trial-jobs")
        metrics = ask(f"http://localhost:{manager.port}/api/v1/nni/metric-data")
        name = manager.profile()["id"]
    assert counts[-1] == 3
    assert [trial.status for trial in trials] == ["SUCCEEDED"] * 3, [
        (trial.folder / "trial.stderr").read_text() for trial in trials
    ]
    assert sorted(trial.parameters["fold"] for trial in trials) == [0, 1, 2]
    for trial in trials:
        held = json.loads((trial.folder / "metrics.json").read_text())
        assert held["fold"] == trial.parameters["fold"], "the row of the web UI shows this trial's own parameters"
        job = next(job for job in jobs if job["trialJobId"] == trial.id)
        final = json.loads(json.loads(job["finalMetricData"][0]["data"]))
        assert final["default"] == held["val_uar"]
        assert {key: final[key] for key in ("test_uar", "test_wa", "test_macro_f1")} == {
            key: held[key] for key in ("test_uar", "test_wa", "test_macro_f1")
        }
        # One epoch of search and two of retraining, each a validation UAR, in order.
        curve = sorted(
            (metric["sequence"], float(json.loads(json.loads(metric["data"]))))
            for metric in metrics
            if metric["trialJobId"] == trial.id and metric["type"] == "PERIODICAL"
        )
        history = [
            *pd.read_csv(trial.folder / "search" / "history.csv")["val_uar"],
            *pd.read_csv(trial.folder / "history.csv")["val_uar"],
        ]
        assert [figure for _, figure in curve] == pytest.approx(history, abs=1e-6)
        assert (trial.folder / "model.onnx").stat().st_size > 1000
    pooled = pool_trials([trial.folder for trial in trials])
    table = pd.concat([pd.read_csv(trial.folder / "predictions.csv") for trial in trials])
    assert len(table) == 48
    expected = recall_score(table["emotion"], table["predicted"], average="macro", zero_division=0)
    assert pooled["test_uar"] == pytest.approx(expected)
    assert sorted(trial_folders(name)) == sorted(trial.folder for trial in trials)
    with pytest.raises(requests.RequestException):
        Manager(manager.port).status()


@pytest.mark.slow
def test_the_command_shows_failing_trials(home: Path, tmp_path: Path) -> None:
    """A trial that fails is named, with where to look, and the experiment is stopped all the same."""
    file = tmp_path / "failing.yml"
    data = yaml.safe_load(experiment_yaml("test", ["--manifest", str(tmp_path / "absent.csv")], [0], [1], 1))
    file.write_text(yaml.safe_dump(data))
    port = free_port()
    done = subprocess.run(
        [sys.executable, "-m", "nni_emodarts", "run", str(file), "--port", str(port)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "'fold': 0" in done.stderr
    assert "trial.stderr" in done.stderr
    stderr = next(home.glob("nni-experiments/*/environments/*/trials/*/trial.stderr"), None)
    logs = [path.read_text() for path in home.glob("nni-experiments/*/environments/*/trials/*/trial.*")]
    assert stderr is not None
    assert any("absent.csv" in text for text in logs)
    with pytest.raises(requests.RequestException):
        Manager(port).status()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("maxTrialNumber: 4\ntuner: {name: A}\ntuner: {name: B}\n", r"tuner stands twice \(lines 2 and 3\)"),
        ("maxTrialNumber: 010\n", "an octal number"),
        ("maxTrialNumber: .inf\n", "maxTrialNumber is missing"),
        ("- 1\n", "maxTrialNumber is missing"),
        ("a: &a [" + "x, " * 200 + "]\nb: &b [" + "*a, " * 200 + "]\n", "more than 10,000 keys and values"),
        ("a: " + "x" * 600_000, "larger than 512 KB"),
        ("a: [", "is no YAML: line 1"),
    ],
)
def test_an_experiment_whose_file_says_something_else(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "e.yml").write_text(text)
    with pytest.raises(ExperimentError, match=rf"e\.yml.*{says}"):
        read_experiment(tmp_path / "e.yml")


def test_an_experiment_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "e.yml")
    with pytest.raises(ExperimentError, match=r"e\.yml is a pipe and no file"):
        read_experiment(tmp_path / "e.yml")
    with pytest.raises(ExperimentError, match="does not exist"):
        read_experiment(tmp_path / "absent.yml")


def test_what_cannot_be_pooled(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "metrics.json").write_text("{}")
    with pytest.raises(ExperimentError, match="chosen by validation alone"):
        pool_trials(trial_folders(tmp_path))
    (tmp_path / "a" / "predictions.csv").write_text("fold,seed,file,speaker,emotion,predicted\n0,1,x,s,a,b\n")
    (tmp_path / "a" / "metrics.json").write_text('{"folds": [0], "seeds": [1]}')
    with pytest.raises(ExperimentError, match="no trial has test predictions"):  # pooled ones, of several networks
        pool_trials(trial_folders(tmp_path))
    with pytest.raises(ExperimentError, match="no finished trial"):
        trial_folders(tmp_path / "b")
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "metrics.json").write_text('{"fold": 0, "seed": 1, "classes": ["a", "b"]}')
        (folder / "predictions.csv").write_text("fold,seed,file,speaker,emotion,predicted\n0,1,x,s,a,b\n")
    with pytest.raises(ExperimentError, match="fold 0, seed 1; pool each run once"):
        pool_trials(trial_folders(tmp_path))
    (tmp_path / "b" / "predictions.csv").write_text("fold,seed,file,speaker,emotion,predicted\n1,1,x,s,c,c\n")
    with pytest.raises(ExperimentError, match="none of the classes"):
        pool_trials(trial_folders(tmp_path))


def test_seeds_of_different_folds_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(fold, seed, f"{fold}", "s", emotion, "a") for fold, seed in ((0, 1), (1, 1), (0, 2)) for emotion in "ab"]
    table = pd.DataFrame(rows, columns=["fold", "seed", "file", "speaker", "emotion", "predicted"])
    show_pooled(pooled_table(table[table["seed"] == 1], ["a", "b"]))
    assert "NOT COMPLETE" not in capsys.readouterr().out
    show_pooled(pooled_table(table, ["a", "b"]))
    assert "NOT COMPLETE: the seeds have different folds (seed 1: 2 folds, seed 2: 1 fold)" in capsys.readouterr().out


def test_an_experiment_that_nni_refuses(tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text("trialCommand: x\nmaxTrialNumber: 1\n")
    with pytest.raises(ExperimentError, match=r"bad\.yml"), started(file):
        pytest.fail("started")


@pytest.mark.parametrize("address", ["", "127.0.0.2", "::1"])
def test_a_port_that_is_taken_is_nobody_elses_experiment(address: str, tmp_path: Path) -> None:
    file = tmp_path / "some.yml"
    file.write_text("maxTrialNumber: 1\n")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not _has_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server((address, 0), family=family) as other:
        port = other.getsockname()[1]
        with pytest.raises(ExperimentError, match=rf"port {port} cannot be used .* name another"), started(file, port):
            pytest.fail("started")


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("ValueError: LocalConfig: no directory\n", "LocalConfig: no directory"),
        ("  File x\nFileNotFoundError: [Errno 2] No such file or directory: '/x'\n", "No such file or directory: '/x'"),
        ("\x1b[31mERROR: Create experiment failed\x1b[0m\n", "Create experiment failed"),
        ("listen EADDRINUSE\nrequests.exceptions.ConnectionError: refused\n", "somebody else took its port"),
        ("requests.exceptions.ConnectionError: refused\n", "its manager did not answer"),
        ("", "nnictl does not say why"),
    ],
)
def test_the_end_of_a_traceback_is_one_sentence(said: str, sentence: str) -> None:
    message = str(
        nnictl._refusal("NNI does not start", "", f"Traceback (most recent call last):\n{said}" if said else "")
    )
    assert message.startswith(f"NNI does not start: {sentence}")
    assert "\n" not in message


_FIGURES = """
import json, os, sys
from pathlib import Path
import nni
point = nni.get_next_parameter()
out = Path(os.environ["NNI_OUTPUT_DIR"])
if point["fold"] == 0:
    (out / "metrics.json").write_text(json.dumps({**point, "classes": ["a", "b"]}))
    (out / "predictions.csv").write_text("fold,seed,file,speaker,emotion,predicted\\n0,1,x,s,a,a\\n0,1,y,s,b,a\\n")
    nni.report_final_result(0.5)
"""


@pytest.mark.slow
def test_a_table_that_lacks_a_fold_says_so(home: Path, tmp_path: Path) -> None:
    """The trial of fold 1 is a success for NNI, without a figure."""
    (tmp_path / "trial.py").write_text(_FIGURES)
    data = yaml.safe_load(
        experiment_yaml("test", [], [0, 1], [1], concurrency=1)
    )  # NNI swaps parameters of two at once
    data |= {
        "trialCommand": f"{sys.executable} {tmp_path}/trial.py",
        "experimentWorkingDirectory": str(tmp_path / "own"),
    }
    (tmp_path / "e.yml").write_text(yaml.safe_dump(data))
    command = [sys.executable, "-m", "nni_emodarts", "run", str(tmp_path / "e.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "UAR by fold    0: 0.500" in done.stdout
    said = " ".join(done.stderr.split())
    assert "trial {'fold': 1, 'seed': 1} gave no figure: see trial.stderr" in said
    assert "NOT COMPLETE: 1 of 2 trials succeeded; fold 1 of seed 1 is not in the figures" in said
    (name,) = (path.name for path in (tmp_path / "own").iterdir() if not path.is_symlink())
    assert len(trial_folders(name)) == 1, "its id says where it is"


def test_points_that_an_experiment_asks_for(tmp_path: Path) -> None:
    def asked(space: str) -> tuple[tuple[int, int], ...]:
        (tmp_path / "e.yml").write_text(f"maxTrialNumber: 2\nsearchSpace: {space}\n")
        return read_experiment(tmp_path / "e.yml").points

    choice = "{_type: choice, _value: [%s]}"
    assert asked(f"{{fold: {choice % '0, 1'}, seed: {choice % '1'}}}") == ((0, 1), (1, 1))
    for other in (
        "{}",
        "x",
        f"{{fold: {choice % '0, 1'}}}",
        f"{{fold: {choice % '0'}, seed: 1}}",
        "{fold: 1, seed: 1}",
    ):
        assert asked(other) == ()


def test_an_experiment_that_trained_candidates(home: Path, tmp_path: Path) -> None:
    """NNI lists it; its figures are in the search's folder."""
    experiment = home / "nni-experiments" / "some-id_1"
    (experiment / "db").mkdir(parents=True)
    with closing(sqlite3.connect(experiment / "db" / "nni.sqlite")) as database:
        database.execute("CREATE TABLE ExperimentProfile (params TEXT, id TEXT, revision INTEGER)")
        for revision, command in enumerate(("true", f"python -m x --candidates '{tmp_path}/my search/candidates'")):
            params = json.dumps({"trialCommand": command})
            database.execute("INSERT INTO ExperimentProfile VALUES (?, 'some-id_1', ?)", (params, revision))
        database.commit()
    with pytest.raises(ExperimentError, match=r"no test figures; the search is in .*my search$"):
        trial_folders("some-id_1")
    (experiment / "db" / "nni.sqlite").unlink()
    with pytest.raises(ExperimentError, match=r"some-id_1 in .* has no finished trial yet"):
        trial_folders("some-id_1")
    for name in ("../some-id_1", "absent", "a" * 99):
        with pytest.raises(ExperimentError, match="name an NNI experiment's id"):
            trial_folders(name)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["while it starts", "while it runs"])
def test_a_command_that_is_terminated_stops_its_experiment(moment: str, idle: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "nni_emodarts", "run", str(idle), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if moment == "while it runs":
        assert "web UI" in process.stdout.readline()
    else:
        wait_until(lambda: _starting(process.pid))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(requests.RequestException):
        Manager(port).status()
    free_port(port)


def _starting(pid: int) -> bool:
    """Whether nnictl is at work."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(b"nnictl" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)


def test_the_shipped_experiment_is_whole() -> None:
    root = Path(__file__).parents[2]
    data = yaml.safe_load((root / "experiment.yml").read_text())
    folds, seeds = (data["searchSpace"][name]["_value"] for name in ("fold", "seed"))
    assert data["maxTrialNumber"] == len(folds) * len(seeds)
    assert (root / data["trialCodeDirectory"]).is_dir()
    assert data["tuner"]["className"] == f"{EachPointOnce.__module__}.{EachPointOnce.__name__}"
    assert (root / data["tuner"]["codeDirectory"]).is_dir()
