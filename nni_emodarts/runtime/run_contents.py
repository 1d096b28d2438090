"""Which files and folders of a run's folder the run itself wrote, and nobody else.

Each run keeps a list beside its files, `files.txt`: a name a line, put there before the file is written, and with a
slash behind it that of a run inside. Lines are added, several processes at once, and never changed. A run that has no
such list is of an earlier version; it is known by what its files hold.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.reading import MEGABYTE, read_json, read_text
from nni_emodarts.runtime.run_lock import refuse_held
from nni_emodarts.runtime.run_names import (
    BEGUN,
    CONFIG,
    CORPUS,
    FILES,
    METRICS,
    STUDY,
    WRITTEN,
    leads_to_run,
    leftover_of,
    names_run,
)

_MOST_BYTES = 2**24
"""Of a list that is read: that of a run has some hundred names."""
_SECTIONS = re.compile(r"^space:.*^retrain:", re.MULTILINE | re.DOTALL)
_SIGNS = {
    CORPUS: ({"manifest", "recordings"},),
    BEGUN: ({"fold", "seed", "manifest"},),
    METRICS: ({"val_uar"}, {"test_uar"}, {"val_ccc"}, {"test_ccc"}, {"estimate"}),
}
"""Keys by which a run's JSON is distinguished from that of another program: all of a set."""


class RunContents:
    """What a run wrote in its folder.

    Args:
        folder: the run's.
        inside: it lies in another run, under a name that this one gave it.
    """

    def __init__(self, folder: Path, inside: bool = False) -> None:
        self._folder = folder
        self._inside = inside
        self._noted: set[str] | None = None

    @property
    def files(self) -> list[str]:
        """Names of the files that are there and that the run wrote."""
        listed = self._listed()
        names = self._earlier() if listed is None else [name for name in FILES if name in listed]
        return [name for name in names if (self._folder / name).is_file()]

    @property
    def runs(self) -> list[Path]:
        """Folders of the runs inside that are there and that the run made; never one behind a link.

        There are none where the run has no file of its own: a folder that only holds runs is none.
        """
        if not self.files:
            return []
        listed = self._listed()
        if listed is None:
            return list(self._earlier_runs())
        names = sorted(name.removesuffix("/") for name in listed if name.endswith("/"))
        return [self._folder / name for name in names if self._is_run(name)]

    @property
    def all_runs(self) -> list[Path]:
        """The runs inside, and those inside of these."""
        return [each for run in self.runs for each in (run, *RunContents(run, inside=True).all_runs)]

    @property
    def leftovers(self) -> list[Path]:
        """What writers of the run's files left half written when they were killed."""
        if not self._folder.is_dir():
            return []
        return [file for file in self._folder.iterdir() if leftover_of(file.name) and file.is_file()]

    @property
    def begun(self) -> bool:
        """Whether a run has begun here, be it that it was killed before it wrote its first file."""
        if (self._folder / WRITTEN).is_file() or self.files or self.leftovers:
            return True
        there = list(self._folder.iterdir()) if self._folder.is_dir() else []
        return bool(there) and all(each.is_dir() and leads_to_run(self._folder.name, each.name) for each in there)

    @property
    def finished(self) -> bool:
        """Whether there are figures of a finished run, or of a network or a candidate of it."""
        return bool({METRICS, STUDY} & {*self.files}) or any((run / METRICS).is_file() for run in self.all_runs)

    def note(self, name: str) -> None:
        """Put a file that is about to be written on the list, or a run inside, whose name ends in a slash."""
        if self._noted is None:
            listed = self._listed()
            if listed is None:  # what an earlier version left is the run's as well
                self._append([*self.files, *(f"{run.relative_to(self._folder)}/" for run in self.runs)])
                listed = self._listed()
            self._noted = listed or set()
        if name not in self._noted:
            self._append([name])
            self._noted.add(name)

    def clear(self) -> None:
        """Delete the run's files, and those of the runs inside; a folder that then holds something else stays.

        The runs inside go first: whoever is killed here leaves what another call knows again.
        """
        if not self.files:
            return
        for run in self.runs:
            RunContents(run, inside=True).clear()
            for emptied in (run, *run.parents):
                if emptied == self._folder:
                    break
                with suppress(OSError):
                    emptied.rmdir()
        for file in (*self.leftovers, *(self._folder / name for name in (*self.files, WRITTEN))):
            file.unlink(missing_ok=True)
        self._noted = None

    def sweep(self) -> None:
        """Delete what killed writers left half written here and in runs inside; not where somebody is writing."""
        for file in self.leftovers:
            file.unlink(missing_ok=True)
        for run in self.runs:
            with suppress(RunFolderError):
                refuse_held([run])
                RunContents(run, inside=True).sweep()

    def _append(self, names: Iterable[str]) -> None:
        data = "".join(f"{name}\n" for name in names).encode()
        file = self._folder / WRITTEN
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":  # a full disk has cut the last name
                data = b"\n" + data
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        except OSError as error:
            error.filename = str(file)
            raise
        finally:
            os.close(handle)

    def _listed(self) -> set[str] | None:
        """The lines of the list; None where there is none."""
        file = self._folder / WRITTEN
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            return set(stream.read(_MOST_BYTES).decode(errors="replace").splitlines())

    def _earlier(self) -> list[str]:
        """The files of a run that has no list; those of other programs are kept apart where that can be."""
        there = [name for name in FILES if (self._folder / name).is_file()]
        if METRICS in there and not self._signs(METRICS):
            there.remove(METRICS)
        return there if self._inside or self._is_earlier_run(there) else []

    def _is_earlier_run(self, there: list[str]) -> bool:
        if any(name in there and self._signs(name) for name in _SIGNS):
            return True
        return CONFIG in there and len(there) > 1 and self._is_configuration()

    def _is_configuration(self) -> bool:
        with suppress(OSError, ValueError):
            return _SECTIONS.search(read_text(self._folder / CONFIG, MEGABYTE)) is not None
        return False

    def _signs(self, name: str) -> bool:
        data: Any = None
        with suppress(OSError, ValueError):
            data = read_json(self._folder / name)
        return isinstance(data, dict) and any(keys <= set(data) for keys in _SIGNS[name])

    def _earlier_runs(self) -> Iterator[Path]:
        """The runs inside a run that has no list, as deep as runs lie in runs."""
        for pattern in ("*", "*/*"):
            for child in sorted(self._folder.glob(pattern)):
                if self._is_run(child.relative_to(self._folder).as_posix()) and RunContents(child, inside=True).begun:
                    yield child

    def _is_run(self, name: str) -> bool:
        """Whether a path is that of a run inside, and leads to a folder without a link."""
        if not names_run(self._folder.name, name):
            return False
        place = self._folder
        for part in Path(name).parts:
            place = place / part
            if place.is_symlink() or not place.is_dir():
                return False
        return True
