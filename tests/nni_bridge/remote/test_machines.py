"""The list of machines, as a person writes it."""

from pathlib import Path

import pytest
import yaml

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.experiment_file import experiment_yaml, read_experiment
from nni_emodarts.nni_bridge.remote.machines import Machine, Remote, read_machines

_TWO = """
- {host: 10.0.0.2, user: ann}
- {host: gpu.example.org, port: 2222, user: ann, sshKeyFile: keys/id, pythonPath: /opt/env/bin, gpuIndices: [0, 1]}
"""


def test_keys_are_those_of_nni(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NNI's own configuration takes what is written, and says the same."""
    from nni.experiment.config import ExperimentConfig

    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id").touch()
    (tmp_path / "m.yml").write_text(_TWO)
    first, second = read_machines(tmp_path / "m.yml")
    assert (str(first), str(second)) == ("10.0.0.2", "gpu.example.org:2222")
    assert Path(first.ssh_key_file) == Path("~/.ssh/id_rsa").expanduser()
    assert Path(second.ssh_key_file) == tmp_path / "keys" / "id"
    (tmp_path / "e.yml").write_text(experiment_yaml("test", [], [0], [1], 1, remote=Remote((second,), "10.0.0.1")))
    (machine,) = ExperimentConfig.load(tmp_path / "e.yml").json()["trainingService"]["machineList"]
    assert machine["gpuIndices"] == [0, 1]
    assert (machine["pythonPath"], machine["port"]) == ("/opt/env/bin", 2222)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a list of machines"),
        ("host: a", "must be a list of machines"),
        ("- {user: ann}", "machine 1: host: missing"),
        ("- 7", "machine 1: 7 is none; write it as {host: 10.0.0.2, user: ann}"),
        ("- {host: 'a b', user: ann}", "host: 'a b' is no name or address of a machine"),
        ("- {host: a, user: ann}\n- {host: -oProxyCommand=x, user: ann}", "machine 2: host: '-oProxyCommand=x'"),
        ("- {host: a, user: '-l'}", "user: '-l' is no name of a user"),
        ("- {host: a, user: ann, pythonPath: '/bin:$(id)'}", "pythonPath: "),
        ("- {host: a, user: ann, pythonPath: env/bin}", "pythonPath: 'env/bin'"),
        ("- {host: a, user: ann, port: 70000}", "port: 70000 is not allowed: .* less than or equal to 65535"),
        ("- {host: a, user: ann, sshkeyfile: k}", "sshkeyfile: unknown key; did you mean sshKeyFile"),
        ("- {host: a, user: ann, password: p}", "password would stand in the experiment's file"),
        ("- {host: a, user: ann}\n- {host: a, user: bob}", "names a twice"),
    ],
)
def test_lists_with_faults(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "m.yml").write_text(text)
    with pytest.raises(ExperimentError, match=says):
        read_machines(tmp_path / "m.yml")


def test_an_experiment_says_where_its_trials_run(tmp_path: Path) -> None:
    machines = tuple(Machine(host=host, user="ann") for host in ("10.0.0.2", "10.0.0.3"))
    remote = Remote(machines, "10.0.0.1", tmp_path / "with blank", gpus=1, cores=8)
    file = tmp_path / "e.yml"
    file.write_text(experiment_yaml("test", ["--manifest", "m.csv"], [0, 1], [1, 2], 4, remote=remote))
    asked = read_experiment(file)
    assert asked.trials == 4, "of which each may be tried twice"
    assert asked.remote == Remote(machines, "10.0.0.1", tmp_path / "with blank", gpus=1)
    data = yaml.safe_load(file.read_text())
    assert data["maxTrialNumber"] == 8
    assert data["trialCommand"].endswith("--threads 4"), "two of four trials on each of two machines of eight cores"
    assert f"'EMODARTS_SHARED={tmp_path}/with blank'" in data["trialCommand"]


def test_options_for_other_machines_need_some(refused, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    words = ("experiment", "--manifest", "synthetic", "--out", tmp_path / "e.yml")
    refused(*words, "--shared", tmp_path, says=("--shared is for trials on other machines",))
    refused(*words, "--gpus", 1, says=("--gpus is for trials on other machines",))
    assert not (tmp_path / "e.yml").exists()
