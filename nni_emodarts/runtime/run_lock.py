"""One writer a folder: a lock on the folder itself, which leaves no file behind and which no dead process holds."""

import errno
import fcntl
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from nni_emodarts.errors import RunFolderError

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_TRIES, _PAUSE = 5, 0.05
"""Whoever only looks whether a lock is free holds it for a moment, too."""


class FolderLock:
    """The lock of a folder, held from `take` to `release`, or until this process ends, whatever ends it.

    Processes that it starts do not inherit it. Where a file system knows no locks, as some over a network, it is no
    hindrance.

    Args:
        handle: the open folder; None where its file system knows no locks.
        folder: its path.
    """

    def __init__(self, handle: int | None, folder: Path) -> None:
        self._handle = handle
        self._folder = folder

    def __getstate__(self) -> dict[str, object]:
        """What a process gets that writes for this one: the lock stays here."""
        return {"_handle": None, "_folder": self._folder}

    @classmethod
    def take(cls, folder: Path, wait: bool = False) -> Self:
        """Take the lock of a folder.

        Args:
            folder: the folder.
            wait: until nobody else holds it.

        Raises:
            RunFolderError: somebody else holds it, and it is not waited for.
        """
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        if wait:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            return cls(handle, folder)
        for tries_left in reversed(range(_TRIES)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _HELD and tries_left:
                    time.sleep(_PAUSE)
                    continue
                os.close(handle)
                if error.errno in _HELD:
                    raise _refusal(folder) from None
                return cls(None, folder)
            break
        return cls(handle, folder)

    @property
    def is_lost(self) -> bool:
        """Whether the folder was deleted or moved since; what is written by its path would be another's."""
        if self._handle is None:
            return False
        try:
            return not os.path.samestat(os.fstat(self._handle), self._folder.stat())
        except OSError:
            return True

    def release(self) -> None:
        """Give the lock back."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __del__(self) -> None:
        self.release()


def refuse_held(folders: Iterable[Path]) -> None:
    """Refuse folders to which somebody writes.

    Raises:
        RunFolderError: there is one.
    """
    for folder in folders:
        if folder.is_dir():
            FolderLock.take(folder).release()


def _refusal(folder: Path) -> RunFolderError:
    return RunFolderError(
        f"output folder {folder}: another process is writing to it; wait for its end, or name another folder"
    )
