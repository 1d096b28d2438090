"""The feature store: maps on disk, found by what they were computed from, read through memory mapping.

One `.npy` file an utterance at `<root>/<settings key>/<2 hex>/<key>.npy`; `settings.json` beside says in words what the
settings key stands for. A file appears under its name only when it is whole, so several processes may write at once and
any of them may die.

Behind the map, where NumPy does not look, stand its key and a checksum of both. The key is compared when a store is
opened, the checksum when a process first reads a map: one that is damaged, or lies under another's name, is computed
again. Maps that earlier versions stored have neither and are taken as they are.
"""

import hashlib
import io
import json
import mmap
import os
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from nni_emodarts.data.features.moments import EVERY_ROW, Moments, Pooled, pool
from nni_emodarts.errors import AudioError
from nni_emodarts.runtime.cache import usable
from nni_emodarts.runtime.plain_data import JsonMapping

Mend = Callable[[int], None]
"""Computes the map of a row again."""

FLOAT32, FLOAT16 = "<f4", "<f2"
DIGEST_BYTES = 16
HEADER_BYTES = 128
READ_AT_ONCE = 2**18
SEAL_BYTES = 2 * DIGEST_BYTES
"""Key and checksum behind a map."""
STALE_SECONDS = 24 * 3600.0
"""Age at which a temporary file has lost its writer."""


class FeatureStore:
    """The maps of a manifest's utterances, by row number.

    Args:
        shelf: where they lie.
        keys: (rows,) key of each row's map, bytes.
        digests: (rows,) content digest of each row's recording, bytes.
        lengths: (rows,) frames of each row's map.
        mend: computes the map of a row again and stores it; it raises `AudioError` where the recording is gone.
        numbers: (rows,) what `mend` calls each row; its own number where absent.
    """

    def __init__(
        self,
        shelf: "Shelf",
        keys: np.ndarray,
        digests: np.ndarray,
        lengths: np.ndarray,
        mend: Mend,
        numbers: np.ndarray | None = None,
    ) -> None:
        self.shelf = shelf
        self.lengths = lengths
        self._mend = mend
        self._numbers = np.arange(len(keys)) if numbers is None else numbers
        self._checked = np.zeros(len(keys), bool)
        self._moments: dict[int, Moments] = {}
        # as bytes: 100,000 rows take 6 MB, as text three times that, in each process that loads data
        self._keys = keys
        self._digests = digests

    @property
    def digests(self) -> list[str]:
        """Digest (hex) of each row's recording: the file's bytes, wherever a segment starts and ends."""
        return [digest.decode() for digest in self._digests.tolist()]

    def pick(self, rows: np.ndarray) -> "FeatureStore":
        """The maps of some rows, numbered anew."""
        return FeatureStore(
            self.shelf, self._keys[rows], self._digests[rows], self.lengths[rows], self._mend, self._numbers[rows]
        )

    def moments(self, rows: Iterable[int], part: slice = EVERY_ROW) -> Moments:
        """Statistics of rows, in their order. Each row's map is read for them once; no other row's is.

        Args:
            rows: of the manifest.
            part: feature rows that are wanted.
        """
        wanted = [int(row) for row in rows]
        for row in wanted:
            if row not in self._moments:
                self._moments[row] = Moments.of(self[row])
        return Moments.join(self._moments[row].part(part) for row in wanted)

    def pooled(self, rows: Iterable[int], part: slice = EVERY_ROW) -> Pooled:
        """Statistics over all frames of rows; arguments as for `moments`."""
        return pool(self.moments([row], part) for row in rows)

    def path(self, row: int) -> Path:
        """File of a row's map."""
        return self.shelf.path(self._keys[row].decode())

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, row: int) -> np.ndarray:
        """Map (R, T) of a row, float32 or float16, read-only, its pages loaded when touched.

        Raises:
            AudioError: it is damaged and cannot be computed again.
        """
        key, frames = self._keys[row].decode(), int(self.lengths[row])
        features = self.shelf.map(key, frames)
        if features is not None and self._checked[row]:
            return features
        if features is None or not self.shelf.is_sound(key, features):
            self._mend(int(self._numbers[row]))
            features = self.shelf.map(key, frames)
        if features is None:
            raise AudioError(f"{self.shelf.path(key)}: features were stored with another length; run the command again")
        self._checked[row] = True
        return features


@dataclass(frozen=True)
class Shelf:
    """The maps of one extractor's settings on disk.

    Args:
        folder: their folder.
        feature_rows: rows R of each map.
        kind: of its numbers, in NumPy's letters: float32, or float16 of large maps.
    """

    folder: Path
    feature_rows: int
    kind: str = FLOAT32

    @classmethod
    def of(cls, root: Path, settings: JsonMapping, feature_rows: int, kind: str = FLOAT32) -> "Shelf":
        """The shelf of an extractor's settings; nothing is written."""
        return cls(Path(root) / digest_text(json.dumps(settings, sort_keys=True))[:16], feature_rows, kind)

    def path(self, key: str) -> Path:
        """File of a key's map."""
        return self.folder / key[:2] / f"{key}.npy"

    def frames(self, key: str) -> int | None:
        """Frames T of a stored map, from all but the map itself; None where it is missing, damaged or another key's."""
        with usable(self.folder):
            try:
                with self.path(key).open("rb", buffering=0) as stream:
                    header, size = stream.read(HEADER_BYTES), os.fstat(stream.fileno()).st_size
                    sealed = os.pread(stream.fileno(), DIGEST_BYTES, max(size - SEAL_BYTES, 0)) == bytes.fromhex(key)
            except FileNotFoundError:
                return None
        frame_bytes = np.dtype(self.kind).itemsize * self.feature_rows
        frames, rest = divmod(size - HEADER_BYTES - sealed * SEAL_BYTES, frame_bytes)
        return frames if frames > 0 and not rest and header == _header(self.kind, self.feature_rows, frames) else None

    def map(self, key: str, frames: int) -> np.ndarray | None:
        """A stored map (R, T), read-only, its pages loaded when touched; None where there is none of so many frames."""
        kind, count = np.dtype(self.kind), self.feature_rows * frames  # known, so that no header has to be parsed
        try:
            with self.path(key).open("rb", buffering=0) as stream:  # `np.memmap` resolves paths, which takes longer
                size = HEADER_BYTES + count * kind.itemsize
                whole = mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError):  # of a file that is shorter
            return None
        return np.frombuffer(whole, kind, count, HEADER_BYTES).reshape(self.feature_rows, frames)

    def is_sound(self, key: str, features: np.ndarray) -> bool:
        """Whether a map is what was stored under its key, and holds numbers alone."""
        with self.path(key).open("rb", buffering=0) as stream:
            seal = os.pread(stream.fileno(), SEAL_BYTES + 1, HEADER_BYTES + features.nbytes)
        return seal in (b"", _seal(key, features)) and bool(np.isfinite(features).all())

    def write(self, key: str, features: np.ndarray) -> None:
        """Store a map (R, T)."""
        features = np.ascontiguousarray(features, self.kind)
        if len(features) != self.feature_rows:
            raise ValueError(f"a map of {len(features)} rows does not belong on a shelf of {self.feature_rows}")

        def fill(stream: BinaryIO) -> None:
            stream.write(_header(self.kind, *features.shape))
            stream.write(features.data)
            stream.write(_seal(key, features))

        with usable(self.folder):
            _write_whole(self.path(key), fill)

    def prepare(self, settings: JsonMapping) -> None:
        """Make the folder, say what it is for, and remove what writers that died long ago have left."""
        text = json.dumps(settings, indent=2) + "\n"
        with usable(self.folder):
            if not (self.folder / "settings.json").exists():
                _write_whole(self.folder / "settings.json", lambda stream: stream.write(text.encode()))
            self._sweep()

    def _sweep(self) -> None:
        for leftover in self.folder.glob("**/*.tmp"):
            try:
                if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
                    leftover.unlink()
            except FileNotFoundError:  # its writer has finished, or another process has removed it
                continue


def digest_file(path: str | Path) -> str:
    """Digest (hex) of a file's bytes, as many as it has when it is opened: one that grows would never end."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with Path(path).open("rb", buffering=0) as stream:
        left = os.fstat(stream.fileno()).st_size
        while left > 0 and (block := stream.read(min(left, READ_AT_ONCE))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def digest_text(text: str) -> str:
    """Digest (hex) of a text."""
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _seal(key: str, features: np.ndarray) -> bytes:
    """What stands behind a map: its key, and a checksum of both."""
    name = bytes.fromhex(key)
    return name + hashlib.blake2b(features.data, digest_size=DIGEST_BYTES, key=name).digest()


@lru_cache(maxsize=4096)
def _header(kind: str, feature_rows: int, frames: int) -> bytes:
    """The header of a map's file, as NumPy writes it."""
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": (feature_rows, frames)})
    return buffer.getvalue()


def _write_whole(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Write a file that appears under its name only once it is whole.

    It isn't forced to the disk, which would cost more than extraction: a file that a power cut shortens is found by its
    size and computed again.
    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as stream:
            fill(stream)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
