"""What protects NNI's manager from a click on Netron without internet, and how it gets into the manager."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from bare_nnictl import bare, printed_options

from nni_emodarts.nni_bridge.experiment import started
from nni_emodarts.nni_bridge.manager import Manager
from nni_emodarts.nni_bridge.node_options import guard_script, node_options

_CLICK = "netron/index.html?url=/api/v1/nni/trial-file/Tr1al/model.onnx"


def test_options_of_a_person_are_kept_and_nothing_is_said_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = f'--require="{guard_script()}"'
    assert node_options("") == ours
    assert node_options("--no-warnings") == f"--no-warnings {ours}"
    assert node_options(node_options("--no-warnings")) == node_options("--no-warnings")


def test_the_command_prints_them(emodarts: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NODE_OPTIONS", raising=False)
    assert emodarts("node-options") == (0, node_options("") + "\n")


def test_a_folder_whose_name_has_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Node.js itself takes the options apart."""
    import nni_node

    script = tmp_path / 'a "b" c' / "guard.js"
    script.parent.mkdir()
    script.write_text("console.log('loaded')")
    monkeypatch.setattr("nni_emodarts.nni_bridge.node_options.guard_script", lambda: script)
    node = Path(next(iter(nni_node.__path__))) / "node"
    environment = {**os.environ, "NODE_OPTIONS": node_options("")}
    done = subprocess.run([node, "-e", "0"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "loaded\n"


def _click(port: int) -> requests.Response:
    """A click on Netron; no proxy of the test's environment stands between."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"http://localhost:{port}/{_CLICK}", timeout=30)


def _skip_with_internet() -> None:
    import socket

    try:
        socket.getaddrinfo("netron.app", 443)
    except OSError:
        return
    pytest.skip("netron.app can be reached from here, so that a click on Netron ends no manager")


@pytest.mark.slow
def test_a_manager_outlives_the_click(idle: Path) -> None:
    _skip_with_internet()
    with started(idle) as manager:
        answer = _click(manager.port)
        assert answer.status_code == 502
        assert answer.headers["Content-Type"].startswith("text/html")
        for words in ("Netron cannot be reached", "/logs/Tr1al.svg", "emodarts view", "The experiment goes on"):
            assert words in answer.text
        assert _click(manager.port).status_code == 502
        assert Manager(manager.port).status() != "ERROR"


@pytest.mark.slow
def test_a_bare_manager_needs_the_line_of_the_documentation(idle: Path, home: Path) -> None:
    """Without it the click is the experiment's end: were it not so, there would be nothing to protect."""
    _skip_with_internet()
    with bare(idle, printed_options()) as port:
        assert _click(port).status_code == 502
        assert Manager(port).status() != "ERROR"
    with bare(idle, None) as port:
        with pytest.raises(requests.RequestException):
            _click(port)
        with pytest.raises(requests.RequestException):
            Manager(port).status()
