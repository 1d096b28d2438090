"""Ports of this machine."""

import errno
import socket

from nni_emodarts.errors import ExperimentError

_EVERY_ADDRESS = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - they are only looked at


def free_port(wanted: int | None = None, *, and_next: bool = False) -> int:
    """A port that nobody listens on, at any address; the wanted one, where one is.

    `localhost` is an address of either kind, so that a port that somebody else has at one of them is taken at all.

    Args:
        wanted: the port.
        and_next: the one above it must be free, too, as NNI asks for trials on other machines.

    Raises:
        ExperimentError: somebody listens on it.
    """
    while True:
        port = _bound(socket.AF_INET, wanted)
        try:
            _bound(socket.AF_INET6, port)
            if and_next:
                _bound(socket.AF_INET, port + 1)
        except ExperimentError:
            if wanted is not None:
                raise
        else:
            return port


def _bound(family: socket.AddressFamily, wanted: int | None) -> int:
    """A port that could be bound at every address of a kind.

    Raises:
        ExperimentError: the wanted one could not.
    """
    try:
        probe = socket.socket(family)
    except OSError:  # a machine without addresses of this kind
        return wanted or 0
    with probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not count
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((_EVERY_ADDRESS[family], wanted or 0))
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return wanted or 0
            raise ExperimentError(f"port {wanted} cannot be used ({error}); name another, or none") from None
        port: int = probe.getsockname()[1]
        return port
