"""Ports of this machine."""

import socket

from nni_emodarts.errors import ExperimentError


def free_port(wanted: int | None = None) -> int:
    """A port that nobody listens on; the wanted one, where one is.

    Raises:
        ExperimentError: somebody listens on it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not count
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except (OSError, OverflowError) as error:
            raise ExperimentError(f"port {wanted} cannot be used ({error}); name another, or none") from None
        port: int = probe.getsockname()[1]
        return port
