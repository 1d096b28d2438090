"""SLURM on one node: this machine's, of Debian's slurm-wlm, with daemons, state and partitions of its own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nni_emodarts.runtime.ports import free_port

_NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")
_CORES = 4
"""More than a small machine has, so that jobs run side by side there, too."""

_CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=2000
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SchedulerParameters=sched_interval=1,batch_sched_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=2 State=UP
PartitionName=short Nodes=ALL MaxTime=30 PriorityTier=1 State=UP
"""


def skip_without_slurm() -> None:
    """Skip a test where SLURM is not installed, or its daemons may not be started."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    lacking = [name for name in _NEEDED if shutil.which(name, path=path) is None]
    if lacking:
        pytest.skip(f"there is no {', '.join(lacking)} here; install slurm-wlm and munge to run this")
    if os.geteuid():
        pytest.skip("SLURM's daemons start jobs as root alone")


@contextmanager
def one_node(folder: Path) -> Iterator[Path]:
    """Daemons that run meanwhile.

    Args:
        folder: of their files.

    Yields:
        The configuration, which `SLURM_CONF` has to name.
    """
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o700)
    (folder / "munge" / "key").write_bytes(os.urandom(1024))
    (folder / "munge" / "key").chmod(0o600)
    config = folder / "slurm.conf"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    ports = {"controller": free_port(), "node": free_port()}
    config.write_text(
        _CONFIG.format(folder=folder, host=socket.gethostname().split(".")[0], cores=_CORES, memory=memory, **ports)
    )
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    munge = {name: f"{folder}/munge/{name}" for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")}
    munge["key-file"] = f"{folder}/munge/key"
    words = [f"--{name}={file}" for name, file in munge.items()]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in (["munged", "--foreground", "--force", *words], ["slurmctld", "-D"], ["slurmd", "-D"]):
            with (folder / f"{command[0]}.log").open("wb") as log:
                daemons.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if command[0] == "munged":
                _wait_for(lambda: (folder / "munge" / "socket").exists(), folder)
        _wait_for(lambda: "idle" in _said(["sinfo", "--noheader", "--format=%T"], environment), folder)
        yield config
        _said(["scancel", "--full", "--user=root"], environment)
        _wait_for(lambda: not _said(["squeue", "--noheader"], environment), folder)
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in reversed(daemons):
            daemon.wait(30)


def _said(words: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60).stdout


def _wait_for(condition: Callable[[], object], folder: Path) -> None:
    until = time.monotonic() + 60
    while not condition():
        logs = "\n".join(file.read_text(errors="replace")[-2000:] for file in folder.glob("*.log"))
        assert time.monotonic() < until, f"SLURM does not start:\n{logs}"
        time.sleep(0.2)
