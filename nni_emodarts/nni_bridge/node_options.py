"""Options for Node.js, under which NNI's manager outlives a click on Netron without internet."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

_VARIABLE = "NODE_OPTIONS"


def guard_script() -> Path:
    """The script that NNI's manager loads first."""
    return Path(str(resources.files("nni_emodarts.nni_bridge") / "netron_offline.js"))


def node_options(present: str | None = None) -> str:
    """The value of NODE_OPTIONS that loads the script.

    Args:
        present: options to keep; those of this process's environment where absent.
    """
    present = os.environ.get(_VARIABLE, "") if present is None else present
    # Node.js splits at spaces, save between double quotes, in which a backslash escapes.
    script = str(guard_script()).replace("\\", "\\\\").replace('"', '\\"')
    option = f'--require="{script}"'
    return present if option in present else f"{present} {option}".strip()


@contextmanager
def manager_protected() -> Iterator[None]:
    """Set NODE_OPTIONS for a manager that this process starts meanwhile."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = node_options()
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
