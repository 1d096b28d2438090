"""Recordings that are not where their name says, but beside it in another spelling.

A corpus that moved between systems has names in another Unicode form, in other letter case, or with backslashes. Such a
recording is found where only one can be meant.
"""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import PurePath

from nni_emodarts.data.spelling import look

_HINTS = 3


class NearbyFiles:
    """Looks for recordings under other spellings of their names; each folder is listed once."""

    def __init__(self) -> None:
        self._listings: dict[str, dict[str, list[str]]] = {}
        self._folders: dict[str, str | None] = {}

    def find(self, path: str) -> str | None:
        """The file that a path that leads nowhere can only mean; None where there is none, or several.

        Args:
            path: an absolute path.
        """
        for each in (path, path.replace("\\", "/")) if "\\" in path else (path,):
            found = self._find(os.path.normpath(each))
            if found is not None and os.path.isfile(found):  # noqa: PTH113 - speed
                return found
        return None

    def hint(self, path: str) -> str:
        """A tail for a message: names of files in a path's folder that may be meant, where there are any."""
        names = self._alike(path)
        return f" (did you mean {' or '.join(names)}?)" if names else ""

    def _alike(self, path: str) -> list[str]:
        """Names that differ in case or ending alone, or hardly."""
        path = os.path.normpath(path.replace("\\", "/"))
        folder = self._find(os.path.split(path)[0])
        if folder is None:
            return []
        names = [name for group in self._listing(folder).values() for name in group]
        wanted = PurePath(path)
        alike = [name for name in names if look(PurePath(name).stem).casefold() == look(wanted.stem).casefold()]
        return sorted(alike)[:_HINTS] or get_close_matches(wanted.name[:200], names[:10_000], n=1, cutoff=0.85)

    def _find(self, path: str) -> str | None:
        """A path whose every part is there, in the spelling that it has there."""
        if path in self._folders:
            return self._folders[path]
        folder, name = os.path.split(path)
        found: str | None = path if os.path.exists(path) else None  # noqa: PTH110 - speed
        if found is None and name and (above := self._find(folder)) is not None:
            found = self._choose(above, name)
        if found is None or not os.path.isdir(found):  # noqa: PTH112 - speed
            return found  # files are many, and asked for once
        self._folders[path] = found
        return found

    def _choose(self, folder: str, name: str) -> str | None:
        there = self._listing(folder).get(look(name).casefold(), [])
        same = [each for each in there if look(each) == look(name)] or there
        return os.path.join(folder, same[0]) if len(same) == 1 else None  # noqa: PTH118 - speed

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """Names in a folder by what they look like, without case."""
        if folder not in self._listings:
            found: dict[str, list[str]] = {}
            for name in _names(folder):
                found.setdefault(look(name).casefold(), []).append(name)
            self._listings[folder] = found
        return self._listings[folder]


def _names(folder: str) -> Iterable[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - speed
    except OSError:
        return ()
