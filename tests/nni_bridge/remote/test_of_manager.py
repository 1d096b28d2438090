"""What is changed of NNI's own code that needs GPUs or many machines to be seen: it is run by its own Node.js."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nni_node
import pytest

from nni_emodarts.nni_bridge.node_options import guard_script

_SCRIPT = Path(__file__).with_name("of_manager.js")
_CHANGE = guard_script().with_name("remote_workers.js")


def _found(log: Path, *change: Path) -> dict[str, Any]:
    root = Path(nni_node.__path__[0])
    words = [root / "node", _SCRIPT, root, log, *change]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What NNI does, and what it does as it is changed."""
    log = tmp_path_factory.mktemp("log") / "log"
    return _found(log), _found(log, _CHANGE)


@pytest.mark.parametrize(
    ("asked", "by_nni", "mended"),
    [
        ("1 of 1", [None, None], ["0", None]),
        ("2 of 2", [None, None], ["0,1", None]),
        ("1 of 2", ["0", "1"], ["0", "1"]),
        ("2 of 4", ["0,1", "2,3"], ["0,1", "2,3"]),
        ("2 of 1", [None, None], [None, None]),
        ("0.5 of 1", ["0", "0"], ["0", "0"]),
    ],
)
def test_gpus_that_two_trials_get(
    asked: str, by_nni: object, mended: object, found: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """NNI refuses a trial that wants every GPU of a machine, for ever."""
    assert [each[asked] for each in found] == [by_nni, mended]


def test_trials_go_where_there_are_the_fewest(found: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Trials on `x` last, those on `y` are over at once; NNI gives both as many."""
    assert [each["place"] for each in found] == ["xyxyxy", "xyyyyy"]
