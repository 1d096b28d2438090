"""A network's graph in Netron, served from this machine alone."""

from pathlib import Path
from types import ModuleType

from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.run_folder import FINAL, GRAPH


def find_graph(path: str | Path) -> Path:
    """The graph to show: a file, or the one of a run folder, whose final network comes first.

    Raises:
        RunFolderError: there is none, or there are several.
    """
    path = Path(path)
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


def serve(graph: Path, port: int | None = None, browse: bool = True) -> str:
    """Serve a graph in Netron, to this machine only, until `wait` ends.

    Args:
        graph: the file.
        port: a free one where absent.
        browse: open it in the person's browser.

    Returns:
        The address.

    Raises:
        ConfigError: Netron is not installed, or the port is taken.
    """
    netron = _netron()
    try:
        host, port = netron.start(str(graph), address=("localhost", port), browse=browse)
    except OSError as error:
        raise ConfigError(f"port: {port} cannot be had ({error.strerror or error}); name another") from None
    return f"http://{host}:{port}"


def wait() -> None:
    """Serve until the person interrupts."""
    _netron().wait()


def _netron() -> ModuleType:
    try:
        import netron
    except ImportError:
        raise ConfigError("Netron is not installed; pip install 'nni_emodarts[netron]'") from None
    module: ModuleType = netron
    return module
