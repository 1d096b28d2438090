"""Real experiments on other machines, by NNI's remote service: with a shared folder and a power cut, and without."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
import requests
import yaml
from bare_nnictl import bare, printed_options
from process_groups import wait_until
from ssh_machines import Network, SshMachine, network

from nni_emodarts.cli.experiments import _show_outcome
from nni_emodarts.nni_bridge.experiment import run_experiment
from nni_emodarts.nni_bridge.experiment_file import Asked, experiment_yaml
from nni_emodarts.nni_bridge.manager import Manager, Trial
from nni_emodarts.nni_bridge.remote.machines import Machine, Remote

Command = Callable[..., tuple[int, str]]
_BIN = Path(sys.executable).parent
_PATIENCE = 600.0  # seconds; an idle machine needs 30
_DOCS = Path(__file__).parents[3] / "docs" / "machines.md"
_LINES = _DOCS.read_text().partition("## From a laptop to two servers\n\n```bash\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def net(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("machines"), home) as made:
        yield made


def _listed(net: Network, file: Path, *machines: SshMachine) -> Path:
    """A file with these machines."""
    entries = [
        {"host": each.host, "user": "root", "sshKeyFile": str(net.key), "pythonPath": str(_BIN)} for each in machines
    ]
    file.write_text(yaml.safe_dump(entries))
    return file


@pytest.mark.slow
def test_a_machine_without_power(
    net: Network, small_manifest: Path, fast_words: list[str], emodarts: Command, tmp_path: Path
) -> None:
    """By the lines of the docs. Its fold is tried again on the other one, and the result is complete."""
    shared = tmp_path / "runs"
    shared.mkdir()
    kept, lost = net.add(known=""), net.add(known="")
    words = {
        "gpu1": kept.host, "gpu2": lost.host, "user: ann": "user: root", "~/.ssh/id_ed25519": f"~/.ssh/{net.key.name}",
        "/opt/emodarts/bin": str(_BIN), "/data/M.csv": str(small_manifest), "/data/runs": str(shared),
        "--preset compact": " ".join(("--preset tiny --protocol kfold:3 --folds 0,1 --seeds 1,2", *fast_words)),
    }  # fmt: skip
    lines = _LINES.partition("emodarts run")[0]
    for documented, here in words.items():
        assert documented in lines, documented
        lines = lines.replace(documented, here)
    said = _shell(lines, tmp_path)
    assert f"figures lie in {shared}" in said
    assert said.count("SHA256:") >= 2
    file = tmp_path / "my.yml"
    with subprocess.Popen(
        [sys.executable, "-m", "nni_emodarts", "run", str(file)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        begun = process.stdout.readline() + process.stdout.readline()
        found = re.match(r"experiment (\w+) with 4 trials; web UI: http://localhost:(\d+)", begun)
        assert found is not None, begun
        name, port = found[1], int(found[2])
        assert f"listens at {net.own}:{port} as well, for " in begun
        try:
            wait_until(lambda: any(_runs_on(lost, trial) for trial in Manager(port).trials()), _PATIENCE)
        except AssertionError:
            process.terminate()
            raise
        lost.cut_power()
        before_end, trials = [], []
        while process.poll() is None:
            before_end, trials = trials or before_end, _trials(port)
            time.sleep(0.5)
        said = process.stdout.read()
    assert process.returncode == 0, said
    assert "was lost, and run again" in said
    _is_whole(trials or before_end, small_manifest)
    code, again = emodarts("results", name)
    assert code == 0, again
    pooled = re.search(r"UAR by fold .* 1: .*", again)
    assert pooled is not None, again
    assert pooled[0] in said, "the same table"


def _shell(lines: str, folder: Path) -> str:
    """What lines print that a person types, in the environment of this package."""
    environment = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", lines], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _runs_on(machine: SshMachine, trial: Trial) -> bool:
    return (
        trial.place.startswith(f"{machine.host}:") and trial.status == "RUNNING" and (trial.folder / "search").exists()
    )


def _trials(port: int) -> list[Trial]:
    try:
        return Manager(port).trials()
    except (requests.RequestException, ValueError, KeyError):
        return []


def _is_whole(trials: list[Trial], manifest: Path) -> None:
    """Each fold has an answer of each seed, in the folder of the trial whose parameters NNI shows."""
    done = {
        (trial.parameters["fold"], trial.parameters["seed"]): trial for trial in trials if trial.status == "SUCCEEDED"
    }
    assert sorted(done) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    for (fold, seed), trial in done.items():
        metrics = json.loads((trial.folder / "metrics.json").read_text())
        assert (metrics["fold"], metrics["seed"]) == (fold, seed)
        assert (trial.folder / "weights.safetensors").exists()
    answers = {point: pd.read_csv(trial.folder / "predictions.csv")["file"] for point, trial in done.items()}
    assert {*answers[0, 1]} == {*answers[0, 2]}
    assert {*answers[0, 1]}.isdisjoint(answers[1, 1])
    assert {*answers[0, 1], *answers[1, 1]} < {*pd.read_csv(manifest)["file"]}


@pytest.fixture
def waiting(net: Network, tmp_path: Path) -> Callable[[SshMachine], Path]:
    """Makes an experiment of one trial that only waits, on a machine."""

    def write(machine: SshMachine) -> Path:
        (entry,) = yaml.safe_load(_listed(net, tmp_path / "machines.yml", machine).read_text())
        remote = Remote((Machine.model_validate(entry),), net.own)
        data = yaml.safe_load(experiment_yaml("test", [], [0], [1], 1, remote=remote))
        (tmp_path / "e.yml").write_text(yaml.safe_dump(data | {"trialCommand": "sleep 300"}))
        return tmp_path / "e.yml"

    return write


@pytest.mark.slow
def test_no_machine_is_left(
    net: Network, waiting: Callable[[SshMachine], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not waited for; what is missing is said."""
    only = net.add()

    def cut(trials: Sequence[Trial], expected: int) -> None:
        if any(trial.status == "RUNNING" for trial in trials):
            only.cut_power()

    outcome = run_experiment(waiting(only), begun=lambda *told: None, show=cut)
    assert not outcome.whole
    assert outcome.absent == ((0, 1),)
    assert "does not answer any more" in outcome.broken_off
    _show_outcome(outcome, keep=False)
    said = capsys.readouterr().err
    assert 'once its machines are up go on with: NODE_OPTIONS="$(emodarts node-options)" nnictl resume' in said
    assert "NOT COMPLETE: 0 of 1 trial succeeded; fold 0 of seed 1 is not in the figures" in said


@pytest.mark.slow
def test_nni_connects_to_no_machine_with_another_key(
    net: Network, waiting: Callable[[SshMachine], Path], home: Path
) -> None:
    """Also under a bare nnictl create, which nothing is checked before."""
    disguised = net.add(known=net.add().host_key)
    with bare(waiting(disguised), printed_options()) as port:
        wait_until(lambda: not _answers_at_all(port), 60)
    log = (home / "nni-experiments" / "_latest" / "log" / "nnimanager.log").read_text()
    assert "Host denied (verification failed)" in log
    assert not (disguised.home / "nni-experiments").exists()


def _answers_at_all(port: int) -> bool:
    try:
        return bool(Manager(port).status())
    except requests.RequestException:
        return False


@pytest.mark.slow
def test_figures_come_with_the_result(
    net: Network, small_manifest: Path, fast_words: list[str], emodarts: Command, tmp_path: Path
) -> None:
    """Where nothing is shared; the drawing is seen while the experiment runs. The manager answers its workers alone."""
    worker, stranger = net.add(), net.add()
    machines, file = _listed(net, tmp_path / "machines.yml", worker), tmp_path / "e.yml"
    words = ["--manifest", small_manifest, "--preset", "tiny", "--protocol", "kfold:3", "--folds", "1", *fast_words]
    code, said = emodarts("experiment", *words, "--machines", machines, "--out", file)
    assert code == 0, said
    seen: dict[str, object] = {}

    def begun(name: str, port: int, asked: Asked) -> None:
        seen["port"] = port

    def look(trials: object) -> None:
        for trial in _trials(int(str(seen["port"]))):
            if trial.status == "RUNNING" and "refused" not in seen:
                seen["refused"] = _answers(net, worker, stranger, int(str(seen["port"])), trial)
            drawing = requests.get(f"http://localhost:{seen['port']}/logs/{trial.id}.svg", timeout=5)
            if drawing.ok:
                seen["drawing"] = drawing.content
            log = requests.get(f"http://localhost:{seen['port']}/api/v1/nni/trial-file/{trial.id}/stdout", timeout=30)
            seen["log"] = log.text

    outcome = run_experiment(file, begun=begun, show=lambda trials, expected: look(trials))
    assert outcome.whole, outcome
    assert seen["refused"] == ["403", "403", "200", "nothing"]
    (folder,) = outcome.folders
    assert folder.parent.parent.name == "carried"
    assert seen["drawing"] == (folder / "architecture.svg").read_bytes()
    assert "architecture " in str(seen["log"]), "the web UI fetches logs"
    own = next(worker.home.glob(f"nni-experiments/{outcome.name}/environments/*/trials/{folder.name}"))
    for name in ("metrics.json", "predictions.csv", "history.csv", "search/alphas.csv"):
        assert (folder / name).read_bytes() == (own / name).read_bytes()
    code, table = emodarts("results", outcome.name)
    assert code == 0, table
    code, said = emodarts("report", outcome.name, "--out", tmp_path / "report.html")
    assert code == 0, said


def _answers(net: Network, worker: SshMachine, stranger: SshMachine, port: int, trial: Trial) -> list[str]:
    """What a manager says to a worker that asks what no trial does, or what one does, and to another machine."""
    root = f"http://{net.own}:{port}/api/v1/nni"
    return [
        net.ask(worker, f"{root}/experiment"),
        net.ask(worker, f"{root}/trial-jobs/{trial.id}", Host="evil.example"),
        net.ask(worker, f"{root}/trial-jobs/{trial.id}"),
        net.ask(stranger, f"{root}/trial-jobs/{trial.id}"),
    ]
