"""What a feature store holds of a manifest's maps, and what is missing."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from nni_emodarts.data.containers.kinds import absence
from nni_emodarts.data.containers.track import layout_of
from nni_emodarts.data.features.extractor import Extractor, LargeExtractor
from nni_emodarts.data.features.store import DIGEST_BYTES, FLOAT16, FLOAT32, Shelf, digest_file, digest_text
from nni_emodarts.data.manifest import TIMES, Manifest
from nni_emodarts.runtime.progress import Progress
from nni_emodarts.runtime.reading import UnreadableError

CHUNK = 16
"""Utterances that a process extracts before it reports."""
HASH_CHUNK = 512
DIGEST = np.dtype((np.bytes_, 2 * DIGEST_BYTES))

State = tuple[int, int]
"""Size of a file, and when it was last changed (ns): what tells that it is no longer the one that was hashed."""


class Recording(NamedTuple):
    """An utterance whose map is to be computed."""

    row: int
    key: str
    file: str
    state: State
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Missing:
    """The utterances whose maps are to be computed: some rows of a manifest, made into recordings chunk by chunk."""

    rows: np.ndarray
    keys: np.ndarray
    files: pd.Series
    states: np.ndarray
    spans: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def chunks(self) -> Iterator[list[Recording]]:
        """Recordings that are extracted together."""
        for first in range(0, len(self), CHUNK):
            yield [self.recording(row) for row in self.rows[first : first + CHUNK].tolist()]

    def recording(self, row: int) -> Recording:
        """What the map of any row is computed from."""
        start, end = map(_seconds, self.spans[row])
        size, changed = self.states[row].tolist()
        return Recording(row, self.keys[row].decode(), str(self.files.iat[row]), (size, changed), start, end)


class Stock(NamedTuple):
    """What a store holds of a manifest's maps.

    Attributes:
        shelf: where they lie.
        digests: of each row's recording; empty where it cannot be read.
        lengths: frames of each row's map; 0 where it is missing.
        missing: what is missing.
        unreadable: reason by row, of recordings that are no recordings.
    """

    shelf: Shelf
    digests: np.ndarray
    lengths: np.ndarray
    missing: Missing
    unreadable: dict[int, str]


def take_stock(manifest: Manifest, extractor: Extractor, root: Path, progress: Progress) -> Stock:
    """Hash the recordings of a manifest, and look which of their maps are there; arguments as for `fill_store`."""
    table = manifest.table
    digests, states, mended, unreadable = _digests(table["file"], len(os.sched_getaffinity(0)), progress)
    spans = table[list(TIMES)].to_numpy()
    keys = np.fromiter(map(_key, digests, spans, mended), DIGEST, len(digests))
    kind = FLOAT16 if isinstance(extractor, LargeExtractor) else FLOAT32
    shelf = Shelf.of(root, extractor.settings, extractor.feature_rows, kind)
    lengths = lengths_of(shelf, keys)
    missing = Missing(np.flatnonzero((lengths == 0) & (digests != b"")), keys, table["file"], states, spans)
    return Stock(shelf, digests, lengths, missing, unreadable)


def _digests(
    files: pd.Series, threads: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, str]]:
    """Digest of each row's file, empty where it cannot be read, its state, whether it is mended, the reason by row.

    Each file is read once.
    """
    codes, names = pd.factorize(files)
    digests, states = np.zeros(len(names), DIGEST), np.zeros((len(names), 2), np.int64)
    mended = np.zeros(len(names), bool)
    reasons: dict[int, str] = {}
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(names), HASH_CHUNK):
            for number, answer in enumerate(pool.map(_try_digest, names[first : first + HASH_CHUNK]), first):
                if isinstance(answer, tuple):
                    digests[number], states[number], mended[number] = answer
                else:
                    reasons[number] = f"{names[number]}: {answer}"
            progress("hashing", min(first + HASH_CHUNK, len(names)), len(names))
    bad = {row: reasons[code] for row, code in enumerate(codes.tolist()) if code in reasons}
    return digests[codes], states[codes], mended[codes], bad


def _try_digest(file: str) -> tuple[str, State, bool] | str:
    """Digest, state, and whether libsndfile is given other bytes than the file's; or why there are none."""
    path = Path(file)
    if (fault := absence(path)) is not None:
        return fault
    try:
        state = state_of(file)
        return digest_file(file), state, not layout_of(path).as_it_stands
    except OSError as error:
        return f"{error.strerror or error}; correct its name in the manifest"
    except UnreadableError as error:
        return str(error)


def state_of(file: str) -> State:
    """Size and time of the last change of a file."""
    found = Path(file).stat()
    return found.st_size, found.st_mtime_ns


def _seconds(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _key(digest: bytes, span: np.ndarray, mended: bool) -> str:
    """What a map is found by. Of a file that is mended, a map of what libsndfile alone reads may be there, too."""
    start, end = map(_seconds, span)
    return digest_text(f"{digest.decode()} {start} {end}{' mended' if mended else ''}")


def lengths_of(shelf: Shelf, keys: np.ndarray) -> np.ndarray:
    """Frames of each row's map, int64; 0 where it is not stored."""
    return np.fromiter((shelf.frames(key.decode()) or 0 for key in keys), np.int64, len(keys))
