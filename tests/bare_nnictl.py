"""`nnictl create` as a person types it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nni_emodarts.runtime.ports import free_port

_TRIES = 3  # NNI gives its manager 3 s to answer, which is too little on a busy machine


@contextmanager
def bare(config: Path, options: str | None) -> Iterator[int]:
    """An experiment under so many options for Node.js, or none: port of its manager."""
    nnictl = shutil.which("nnictl", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert nnictl is not None
    environment = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
    environment |= {} if options is None else {"NODE_OPTIONS": options}
    port = free_port()
    words = [nnictl, "create", "--config", str(config), "--port", str(port)]
    for _ in range(_TRIES):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    try:
        yield port
    finally:
        subprocess.run([nnictl, "stop", "--port", str(port)], env=environment, capture_output=True, check=False)


def printed_options() -> str:
    """What `emodarts node-options` prints."""
    command = [sys.executable, "-m", "nni_emodarts", "node-options"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
