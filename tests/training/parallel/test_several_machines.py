"""The first of several machines says what is trained next; the others hear it, or that it has ended."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load

from nni_emodarts.config import ExperimentConfig, is_further_machine, load_config
from nni_emodarts.config.together import Place
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError, LostProcessError
from nni_emodarts.models.baselines import Baseline
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.ports import free_port
from nni_emodarts.runtime.run_folder import METRICS, RETRAINING, RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.parallel.machines import (
    announced,
    check_meeting,
    first_machine,
    reached,
    same_corpus,
    store_at,
)
from nni_emodarts.training.parallel.start import check_devices, take_part, train_together
from nni_emodarts.training.retrain.designs import build_network
from nni_emodarts.training.retrain.fitting import learn_share
from nni_emodarts.training.retrain.run import retrain


def asked(*settings: str) -> ExperimentConfig:
    return load_config("tiny", settings=["nodes=2", *settings])


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """This process is the first machine."""
    found = Place("127.0.0.1", free_port(), 0, 2)
    monkeypatch.setenv("MASTER_ADDR", found.host)
    monkeypatch.setenv("MASTER_PORT", str(found.port))
    monkeypatch.setenv("NODE_RANK", "0")
    return found


def heard_by(place: Place) -> list[Any]:
    with reached(replace(place, node=1)) as machines:
        return list(machines.jobs())


def test_what_the_first_says_is_heard_in_order_until_it_ends(place: Place) -> None:
    with ThreadPoolExecutor(1) as others, first_machine(asked()):
        heard = others.submit(heard_by, place)
        names = [announced(asked(), {"seed": seed})[1] for seed in (3, 1, 2)]
    assert heard.result() == [("0", {"seed": 3}), ("1", {"seed": 1}), ("2", {"seed": 2})]
    assert names == ["0", "1", "2"]


FIRST = """
import sys, time
from nni_emodarts.config import load_config
from nni_emodarts.training.parallel.machines import announced, first_machine

config = load_config("tiny", settings=["nodes=2"])
with first_machine(config):
    announced(config, {"seed": 1})
    time.sleep(600)
"""


def test_a_first_machine_that_is_killed_leaves_nobody_waiting(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    first = subprocess.Popen([sys.executable, "-c", FIRST])
    try:
        with reached(replace(place, node=1)) as machines:  # waits until it is there
            jobs = machines.jobs()
            assert next(jobs) == ("0", {"seed": 1})
            first.kill()
            with pytest.raises(LostProcessError, match=r"the first machine, 127.0.0.1, ended before all was trained"):
                next(jobs)
    finally:
        first.kill()
        first.wait()
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_that_somebody_has_is_named(place: Place) -> None:
    in_use = pytest.raises(ConfigError, match=r"MASTER_ADDR and MASTER_PORT .*in use")
    with socket.create_server((place.host, place.port)), in_use, first_machine(asked()):
        pass


def test_a_store_is_reached_at_its_address_alone() -> None:
    """Not from the network, where all processes are on one machine."""
    store = store_at("127.0.0.1")
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    listening = [row[1] for row in rows if row[1].endswith(f":{store.port:04X}") and row[3] == "0A"]
    assert listening == [f"0100007F:{store.port:04X}"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("NODE_RANK", None, "NODE_RANK of the environment says not where they meet"),
        ("NODE_RANK", "2", "NODE_RANK of the environment: '2' is no number from 0 to 1"),
        ("MASTER_PORT", "70000", "MASTER_PORT of the environment: '70000' is no number from 0 to 65535"),
        ("MASTER_PORT", "²", "is no number"),
    ],
)
def test_what_the_environment_lacks_is_named(
    place: Place, name: str, value: str | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=says):
        is_further_machine(asked())
    assert not is_further_machine(load_config("tiny"))


def test_only_what_other_machines_hear_of_is_trained_by_them(place: Place) -> None:
    with pytest.raises(ConfigError, match="in search and retrain alone; leave nodes out"):
        train_together(asked("device=cpu"), print, tell=print)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({"processes": 3}, "the first machine counts 3 processes, and this one 2"),
        ({"processes": 2, "manifest": "another"}, "the first machine has another content of it"),
    ],
)
def test_another_command_on_another_machine_is_refused(
    place: Place, job: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the first machine hears of it, instead of waiting for it."""

    def find(job: dict[str, Any]) -> tuple[Any, ...]:
        same_corpus("own", job)
        return (print,)

    with first_machine(asked()):
        machines, _ = announced(asked(), job)
        monkeypatch.setenv("NODE_RANK", "1")
        with pytest.raises(ConfigError, match=says):
            take_part(asked("device=cpu"), find)
        with pytest.raises(LostProcessError, match=f"machine 1 of 2 has left: .*{says}"):
            machines.look()


def test_more_processes_than_there_are_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = os.cpu_count() or 1
    check_devices(asked("device=cpu", f"devices={cores}"))
    with pytest.raises(ConfigError, match=f"devices: {cores + 1} are asked for, but there are {cores} CPU cores"):
        check_devices(asked("device=cpu", f"devices={cores + 1}"))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(ConfigError, match="start it once on each machine, without torchrun"):
        check_devices(asked("device=cpu"))


def test_a_run_is_not_replaced_where_devices_lack(small_manifest: Path, small_corpus: Corpus, tmp_path: Path) -> None:
    devices = (os.cpu_count() or 1) + 1
    options = {"data.manifest": str(small_manifest)}
    config = load_config("tiny", settings=["device=cpu", f"devices={devices}"], options=options)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    with folder.held():
        folder.begin(RETRAINING)
        folder.write_json(METRICS, {"test_uar": 1.0})
    task = FoldTask.of(config, small_corpus, 0, 1)
    drawn = random_architecture(config.space, small_corpus.num_classes, small_corpus.shapes, 1)
    again = RunFolder.claim(tmp_path / "run", overwrite=True)
    with pytest.raises(ConfigError, match=f"devices: {devices} are asked for"):
        retrain([task], drawn, again)
    with pytest.raises(ConfigError, match=f"devices: {devices} are asked for"):
        search(task, again)
    assert again.read_json(METRICS) == {"test_uar": 1.0}


def test_an_address_that_is_not_ours_is_refused_before_anything_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_meeting(load_config("tiny"))
    check_meeting(asked())
    monkeypatch.setenv("MASTER_ADDR", "192.0.2.1")
    with pytest.raises(ConfigError, match="name an address of this machine, and a free port"):
        check_meeting(asked())


def test_a_name_that_nobody_knows_is_not_waited_for(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"'no\.such\.invalid' is no name that this machine knows"):
        heard_by(replace(place, host="no.such.invalid"))


def test_waiting_for_the_first_machine_is_said_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as others:
        heard = others.submit(heard_by, place)
        time.sleep(1)
        with first_machine(asked()):
            pass
        assert heard.result() == []
    assert [each.getMessage() for each in caplog.records] == [
        f"waiting for the first machine at 127.0.0.1 port {place.port}"
    ]


@pytest.mark.parametrize("command", ["benchmark", "experiment", "table", "plan"])
def test_commands_that_train_many_networks_refuse_machines_first(
    command: str, refused: Callable[..., None], small_manifest: Path, tmp_path: Path
) -> None:
    options = {
        "benchmark": ["--methods", "cnn", "--name", "mine", "--out", tmp_path / "out"],
        "experiment": ["--out", tmp_path / "out.yml"],
        "table": [tmp_path / "out.jsonl", "--architectures", "2"],
        "plan": [],
    }[command]
    given = ["--preset", "tiny", "--manifest", small_manifest, "--protocol", "kfold:3", "--set", "nodes=2"]
    refused(command, *options, *given, says=("nodes: 2 machines train one network together", "leave nodes out"))
    assert not list(tmp_path.iterdir())


def test_weights_in_any_order_of_memory_are_sent(small_manifest: Path, small_corpus: Corpus) -> None:
    config = load_config("tiny", settings=["device=cpu"], options={"data.manifest": str(small_manifest)})
    task = FoldTask.of(config, small_corpus, 0, 1)
    sent, _, _ = learn_share(task, Baseline("cnn"), 1, None, lambda row: None)
    assert set(load(sent)) == set(build_network(Baseline("cnn"), 4, small_corpus.shapes).state_dict())
