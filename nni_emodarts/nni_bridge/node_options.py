"""Options for Node.js, under which NNI's manager is guarded."""

import os
from importlib import resources
from pathlib import Path

_VARIABLE = "NODE_OPTIONS"


def guard_script() -> Path:
    """The script that NNI's manager loads first."""
    return Path(str(resources.files("nni_emodarts.nni_bridge") / "manager_guard.js"))


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
