"""A network's graph in Netron, served from this machine alone."""

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.runtime.digests import refuse_damaged
from nni_emodarts.runtime.run_folder import FINAL, GRAPH, RunFolder

_DATA = "/data/model.onnx"


def find_graph(path: str | Path) -> Path:
    """The graph to show: a file, or the one of a run folder, whose final network comes first.

    Raises:
        RunFolderError: there is none, or there are several; or it is damaged.
    """
    graph = _find_graph(Path(path))
    if graph.name == GRAPH:
        refuse_damaged(RunFolder(graph.parent), [GRAPH])
    return graph


def _find_graph(path: Path) -> Path:
    if path.is_file():
        if path.suffix != ".onnx":
            raise RunFolderError(f"{path} is no .onnx file; name a run folder, or its {GRAPH}")
        return path
    for folder in (path, path / FINAL):
        if (folder / GRAPH).is_file():
            return folder / GRAPH
    inside = sorted(path.glob(f"**/{GRAPH}"))
    if len(inside) == 1:
        return inside[0]
    if not inside:
        raise RunFolderError(f"{path} holds no {GRAPH}; name a run folder, or an .onnx file")
    raise RunFolderError(f"{path} holds {len(inside)} networks; name one, such as {inside[0]}")


@contextmanager
def served(graph: Path, port: int | None = None) -> Iterator[str]:
    """Serve a graph in Netron, to this machine only.

    Netron's own server is not used: its pages report usage to their maker, ask for consent to that, and open nothing
    any more half a year after their release.

    Args:
        graph: the file.
        port: a free one where absent.

    Yields:
        The address.

    Raises:
        ConfigError: Netron is not installed, or the port is taken.
    """
    pages = _netron_folder()
    handler = partial(_Handler, graph=graph, directory=str(pages))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port or 0), handler)
    except OSError as error:
        raise ConfigError(f"port: {port} cannot be had ({error.strerror or error}); name another") from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(SimpleHTTPRequestHandler):
    """Netron's pages, and the graph."""

    def __init__(self, *arguments: Any, graph: Path, directory: str) -> None:
        self._graph = graph
        super().__init__(*arguments, directory=directory)

    def do_GET(self) -> None:
        """Answer a request."""
        path = urlparse(self.path).path
        if path in ("/", "/index.html"):
            self._answer("text/html; charset=utf-8", self._page().encode())
        elif path == _DATA:
            self._answer("application/octet-stream", self._graph.read_bytes())
        else:
            super().do_GET()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing."""

    def _page(self) -> str:
        page = (Path(self.directory) / "index.html").read_text(encoding="utf-8")
        name = html.escape(str(self._graph))
        # The version without telemetry, and no date of release.
        page = re.sub(r'<meta name="date" content="[^"]*">', "", page)
        head = (
            f'<meta name="type" content="Python"><meta name="version" content="0.0.0">'
            f'<meta name="file" content="{_DATA}"><meta name="name" content="{name}">'
            f'<meta name="identifier" content="{html.escape(self._graph.name)}">'
        )
        return re.sub(r'<meta name="version" content="[^"]*">', lambda _: head, page)

    def _answer(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Set-Cookie", "consent=0")  # there is nothing to consent to
        self.end_headers()
        self.wfile.write(data)


def _netron_folder() -> Path:
    """Folder of Netron's pages."""
    found = find_spec("netron")
    if found is None or found.origin is None:
        raise ConfigError("Netron is not installed; pip install 'nni_emodarts[netron]'")
    return Path(found.origin).parent
