"""Machines with every fault that there is, over real SSH: one message that names each."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from ssh_machines import Network, SshMachine, mounted, network

from nni_emodarts.errors import ExperimentError
from nni_emodarts.nni_bridge.remote.checks import address_towards, check_machines
from nni_emodarts.nni_bridge.remote.machines import Machine, Remote

_PYTHON = Path(sys.executable).parent
_BEHIND = "import time; before = time.time; time.time = lambda: before() - 3600"


@pytest.fixture(scope="module")
def net(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("machines"), home) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def good(net: Network) -> SshMachine:
    return net.add()


def _machine(net: Network, host: str, **more: object) -> Machine:
    given = {"host": host, "user": "root", "sshKeyFile": str(net.key), "pythonPath": str(_PYTHON), **more}
    return Machine.model_validate(given)


def _faults(remote: Remote, *files: Path) -> dict[str, list[str]]:
    """What is said of each machine."""
    with pytest.raises(ExperimentError) as caught:
        check_machines(remote, files)
    found: dict[str, list[str]] = {}
    for line in str(caught.value).splitlines()[1:]:
        host, _, fault = line.strip().partition(": ")
        found.setdefault(host, []).append(fault)
    return found


def test_a_machine_without_faults(net: Network, good: SshMachine, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,emotion,speaker\n")
    machine = _machine(net, good.host)
    assert address_towards([machine]) == net.own
    remote = Remote((machine,), net.own, shared)
    assert check_machines(remote, [tmp_path / "manifest.csv"]) >= 1
    assert list(shared.iterdir()) == [], "nothing of the check is left"


def test_each_fault_of_each_machine_is_named(net: Network, good: SshMachine, shared: Path, tmp_path: Path) -> None:
    """All at once; a machine has as many as it has, and one without any is not named."""
    old = tmp_path / "old" / "nni_emodarts-0.0.1.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: nni_emodarts\nVersion: 0.0.1\n")
    late = tmp_path / "late"
    late.mkdir()
    (late / "sitecustomize.py").write_text(_BEHIND)
    elsewhere = f"mount -t tmpfs tmpfs {shared}"
    unknown, changed = net.add(known=""), net.add(known=good.host_key)
    other, readonly = net.add(setup=elsewhere), net.add(setup=_read_only(shared))
    outdated, behind = net.add({"PYTHONPATH": str(tmp_path / "old")}), net.add({"PYTHONPATH": str(late)})
    machines = {
        "good": _machine(net, good.host),
        "unknown": _machine(net, unknown.host),
        "changed": _machine(net, changed.host),
        "closed": _machine(net, good.host, port=2222),
        "other": _machine(net, other.host),
        "readonly": _machine(net, readonly.host),
        "outdated": _machine(net, outdated.host),
        "behind": _machine(net, behind.host),
    }
    found = _faults(Remote(tuple(machines.values()), net.own, shared))
    said = {name: found.get(str(machine)) for name, machine in machines.items()}
    known = net.home / ".ssh" / "known_hosts"
    assert said.pop("good") is None
    expected = {
        "unknown": [
            f"has a host key that is not in {known}; connect once by ssh -p 22 root@{unknown.host}, and compare"
        ],
        "changed": [
            f"shows another host key than {known} holds; where that is right, ssh-keygen -R {changed.host} and"
        ],
        "closed": ["cannot be reached (ssh: connect to host"],
        "other": [f"{shared} is another folder than here; mount there what is mounted here"],
        "readonly": [f"{shared} cannot be written to (Read-only file system); mount it for writing there"],
        "outdated": [f"{sys.executable} has nni_emodarts 0.0.1, but here it is {version('nni_emodarts')}; install the"],
        "behind": ["its clock is off by 3"],
    }
    assert said.keys() == expected.keys()
    for name, (begins,) in expected.items():
        faults = said[name]
        assert faults is not None, name
        assert len(faults) == 1, faults
        assert faults[0].startswith(begins), name


def _read_only(folder: Path) -> str:
    return f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"


def test_who_is_refused(net: Network, good: SshMachine, tmp_path: Path) -> None:
    """One with another key, one without an environment, one that has no GPU."""
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    for more, gpus, says in (
        ({"sshKeyFile": str(stranger)}, 0, f"refuses root with {stranger}; add its public key there"),
        ({"pythonPath": "/opt"}, 0, "has no `python` in the PATH of its SSH sessions; name the folder"),
        ({}, 1, "NNI sees no GPU there (NVIDIA's driver and nvidia-ml-py), but 1 are asked for; correct --gpus"),
    ):
        ((fault,),) = _faults(Remote((_machine(net, good.host, **more),), net.own, gpus=gpus)).values()
        assert fault.startswith(says), fault


def test_a_manager_that_cannot_be_reached(net: Network, good: SshMachine) -> None:
    """At an address of another network, and at one that this machine has not."""
    machine = _machine(net, good.host)
    with net.other_address() as address:
        ((fault,),) = _faults(Remote((machine,), address)).values()
    assert fault.startswith(f"cannot reach NNI's manager at {address}:"), fault
    assert "(Network is unreachable); open the port to it, or give another address" in fault
    with pytest.raises(ExperimentError, match=r"manager cannot listen at 192\.0\.2\.77 .* as --manager-ip"):
        check_machines(Remote((machine,), "192.0.2.77"))
    with socket.create_server((net.own, 0)) as taken, pytest.raises(ExperimentError, match="cannot listen at"):
        check_machines(Remote((machine,), net.own), port=taken.getsockname()[1])


def test_files_and_folders_that_a_machine_lacks(net: Network, good: SshMachine, tmp_path: Path) -> None:
    """A manifest that is another there; a shared folder without room, and one that is not here."""
    manifest, hidden, small = tmp_path / "m" / "manifest.csv", tmp_path / "h" / "config.yml", tmp_path / "small"
    for file in (manifest, hidden):
        file.parent.mkdir()
        file.write_text("here")
    small.mkdir()
    with mounted(small, "1m"):
        there = net.add(
            setup=f"mount -t tmpfs tmpfs {hidden.parent}; mount -t tmpfs tmpfs {manifest.parent}; echo x > {manifest}"
        )
        found = _faults(Remote((_machine(net, there.host),), net.own, small), manifest, hidden)
    full, *files = found[there.host]
    assert full == f"{small} cannot be written to (No space left on device); free some space there"
    assert [fault.partition(";")[0] for fault in files] == [
        f"{manifest} is another file there",
        f"{hidden} is not there",
    ]
    with pytest.raises(ExperimentError, match=r"shared folder .*absent cannot be written to here"):
        check_machines(Remote((_machine(net, good.host),), net.own, tmp_path / "absent"))
