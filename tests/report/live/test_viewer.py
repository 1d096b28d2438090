"""The graph that is shown, and a local Netron that shows it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from nni_emodarts.errors import RunFolderError
from nni_emodarts.report.live.viewer import find_graph
from nni_emodarts.runtime.ports import free_port


def _graph(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    file.write_bytes(b"a graph")
    return file


def test_which_graph_is_meant(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"holds no model\.onnx; name a run folder"):
        find_graph(tmp_path)
    first = _graph(tmp_path / "fold_00" / "seed_1")
    assert find_graph(tmp_path) == find_graph(first) == find_graph(first.parent) == first
    _graph(tmp_path / "fold_01" / "seed_1")
    with pytest.raises(RunFolderError, match=f"2 networks; name one, such as {first}"):
        find_graph(tmp_path)
    assert find_graph(tmp_path / "fold_01").parent.parent.name == "fold_01"
    final = _graph(tmp_path / "final")
    assert find_graph(tmp_path) == final
    (tmp_path / "architecture.json").write_text("{}")
    with pytest.raises(RunFolderError, match=r"architecture\.json is no \.onnx file"):
        find_graph(tmp_path / "architecture.json")


def test_without_netron(
    emodarts: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_emodarts.report.live.viewer.find_spec", lambda name: None)
    code, printed = emodarts("view", _graph(tmp_path))
    assert code == 2
    assert "pip install 'nni_emodarts[netron]'" in " ".join(printed.split())


def test_netron_serves_it_until_it_is_interrupted(tmp_path: Path) -> None:
    pytest.importorskip("netron", reason="the extra netron is not installed")
    _graph(tmp_path)
    port = free_port()
    # A test run in the background ignores interrupts, and so would what it starts.
    words = ["env", "--default-signal=INT", sys.executable, "-m", "nni_emodarts", "view"]
    words += [str(tmp_path), "--port", str(port), "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert f"model.onnx: http://localhost:{port};" in process.stdout.readline()
            page = requests.get(f"http://localhost:{port}", timeout=10).text
            assert '<meta name="file" content="/data/model.onnx">' in page
            # With a date of release it opens nothing half a year later, and with a version it reports usage.
            assert 'name="date"' not in page
            assert '<meta name="version" content="0.0.0">' in page
            assert requests.get(f"http://localhost:{port}/view.js", timeout=10).status_code == 200
            assert requests.get(f"http://localhost:{port}/data/model.onnx", timeout=10).content == b"a graph"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()


def test_a_port_that_is_taken(emodarts: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    pytest.importorskip("netron", reason="the extra netron is not installed")
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, printed = emodarts("view", _graph(tmp_path), "--port", port, "--no-browser")
    assert code == 2
    assert f"port: {port} cannot be had" in printed
