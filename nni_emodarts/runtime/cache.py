"""The folder of what can be computed again: stores of features, the embedded corpus."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nni_emodarts.errors import ConfigError


def default_cache() -> Path:
    """The folder where none is named: `$EMODARTS_CACHE`, else `nni_emodarts` in the user's cache folder (XDG)."""
    if own := os.environ.get("EMODARTS_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nni_emodarts"


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Say what to do where a folder cannot be used.

    Raises:
        ConfigError: the system refuses to read, make or fill it.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"data.cache: {folder} cannot be used ({error.strerror or error}); set data.cache or $EMODARTS_CACHE to a "
            "folder that can be written and has room"
        ) from None
