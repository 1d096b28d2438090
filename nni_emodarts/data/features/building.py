"""Manifest + extractor -> feature store: only what is missing is computed, over all cores where that pays."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from nni_emodarts.data.containers.kinds import absence
from nni_emodarts.data.containers.track import layout_of
from nni_emodarts.data.features.audio import read_audio
from nni_emodarts.data.features.extractor import Extractor, LargeExtractor
from nni_emodarts.data.features.room import check_room, needed_bytes, read_seconds
from nni_emodarts.data.features.store import (
    DIGEST_BYTES,
    FLOAT16,
    FLOAT32,
    FeatureStore,
    Shelf,
    digest_file,
    digest_text,
)
from nni_emodarts.data.manifest import TIMES, Manifest
from nni_emodarts.errors import AudioError, BadRecordings, ConfigError
from nni_emodarts.runtime.processes import start_pool
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.reading import UnreadableError

logger = logging.getLogger(__name__)

CHUNK = 16
"""Utterances that a process extracts before it reports."""
HASH_CHUNK = 512
POOL_PAYS_SECONDS = 10.0
"""Work left from which other processes are started: each needs several seconds to import torch."""
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


Fault = tuple[int, str]
"""Row and reason."""
Outcome = tuple[int, list[Fault]]
"""Recordings done, and those of them that cannot be used."""


@dataclass(frozen=True)
class Work:
    """What each process does with a chunk of recordings."""

    extractor: Extractor
    shelf: Shelf

    def __call__(self, chunk: Sequence[Recording]) -> Outcome:
        """Store the maps that are still missing; another process may have stored some meanwhile."""
        if isinstance(self.extractor, LargeExtractor):
            return len(chunk), self._together(self.extractor, chunk)
        faults = []
        for recording in chunk:
            if self.shelf.frames(recording.key) is not None:
                continue
            try:
                self.compute(recording)
            except AudioError as error:
                faults.append((recording.row, str(error)))
        return len(chunk), faults

    def compute(self, recording: Recording) -> None:
        """Store a map, in place of one that may be there.

        Raises:
            AudioError: the recording cannot be used.
        """
        self._keep(recording, self.extractor(_read(recording, self.extractor.sampling_rate)))

    def _together(self, extractor: LargeExtractor, recordings: Sequence[Recording]) -> list[Fault]:
        """Store the maps of recordings that are computed together; returns those that cannot be used."""
        missing = {each.key: each for each in recordings if self.shelf.frames(each.key) is None}
        reasons: dict[str, str] = {}
        read: list[tuple[Recording, np.ndarray]] = []
        for recording in missing.values():
            try:
                read.append((recording, _read(recording, extractor.sampling_rate)))
            except AudioError as error:
                reasons[recording.key] = str(error)
        maps = extractor.many([waveform for _, waveform in read])
        for (recording, _), features in zip(read, maps, strict=True):
            try:
                self._keep(recording, features)
            except AudioError as error:
                reasons[recording.key] = str(error)
        return [(each.row, reasons[each.key]) for each in recordings if each.key in reasons]

    def _keep(self, recording: Recording, features: np.ndarray) -> None:
        if not np.isfinite(features).all():
            raise AudioError(f"{recording.file}: its features are no numbers; listen to it, and leave it out")
        self.shelf.write(recording.key, features)


def _read(recording: Recording, sampling_rate: int) -> np.ndarray:
    """The waveform whose map its key names: a file that was replaced meanwhile would lie under its former content's."""
    waveform = read_audio(recording.file, sampling_rate, recording.start, recording.end)
    if _state(recording.file) != recording.state:
        raise AudioError(f"{recording.file}: changed after it was hashed; start again once it stays as it is")
    return waveform


def build_store(
    manifest: Manifest,
    extractor: Extractor,
    root: str | Path,
    workers: int | None = None,
    progress: Progress = silent,
) -> FeatureStore:
    """Compute the maps that the store doesn't hold yet.

    Safe to call from several processes at once, and again after one died: what is stored stays, the rest is computed.
    As processes are spawned, a script that calls this must start under `if __name__ == "__main__":`.

    Args:
        manifest: the utterances.
        extractor: waveform -> map.
        root: folder of stores, see `cache.default_cache`.
        workers: processes that extract; 0 or 1 stays in this one, one a core where absent.
        progress: told of recordings hashed and of features extracted.

    Raises:
        BadRecordings: recordings that cannot be used, all in one message; the others are stored.
        ConfigError: the folder cannot be written, or a process died.
    """
    store, reasons = fill_store(manifest, extractor, root, workers, progress)
    if reasons:
        raise BadRecordings(reasons, len(manifest))
    return store


def fill_store(
    manifest: Manifest,
    extractor: Extractor,
    root: str | Path,
    workers: int | None = None,
    progress: Progress = silent,
) -> tuple[FeatureStore, dict[int, str]]:
    """As `build_store`, but recordings that cannot be used are an answer: reason by row. Their rows hold no map."""
    table, cores = manifest.table, len(os.sched_getaffinity(0))
    digests, states, mended, unreadable = _digests(table["file"], cores, progress)
    spans = table[list(TIMES)].to_numpy()
    keys = np.fromiter(map(_key, digests, spans, mended), DIGEST, len(digests))
    kind = FLOAT16 if isinstance(extractor, LargeExtractor) else FLOAT32
    shelf = Shelf.of(Path(root).expanduser(), extractor.settings, extractor.feature_rows, kind)
    lengths = _lengths(shelf, keys)
    missing = _Missing(np.flatnonzero((lengths == 0) & (digests != b"")), keys, table["file"], states, spans)
    work = Work(extractor, shelf)
    _report_damaged(shelf, keys[missing.rows])
    workers = cores if workers is None else workers
    if isinstance(extractor, LargeExtractor) and len(missing):
        missing, needed = _by_length(missing, extractor, cores)
        check_room(extractor, needed, Path(root).expanduser())
        workers, progress = extractor.most_workers(workers), partial(progress, GB=needed / 1e9)
    faults = _extract(missing, work, workers, progress)
    lengths = _lengths(shelf, keys) if len(missing) else lengths
    return FeatureStore(shelf, keys, digests, lengths, partial(_mend, missing, work)), {**unreadable, **faults}


def _by_length(missing: "_Missing", extractor: LargeExtractor, threads: int) -> tuple["_Missing", int]:
    """What is to be computed, the longest first so that what memory does not hold is known at once, and its bytes."""
    recordings = [missing.recording(row) for row in missing.rows.tolist()]
    seconds = read_seconds([(each.file, each.start, each.end) for each in recordings], threads)
    order = np.argsort(-seconds, kind="stable")
    return replace(missing, rows=missing.rows[order]), needed_bytes(extractor, seconds)


def _report_damaged(shelf: Shelf, keys: np.ndarray) -> None:
    """Say how many maps are there that are none."""
    count = sum(shelf.path(key.decode()).exists() for key in keys)
    if count:
        logger.warning("%d of the features in %s are damaged; they are computed again", count, shelf.folder)


def _mend(utterances: "_Missing", work: Work, row: int) -> None:
    """Compute a damaged map again, and say so."""
    recording = utterances.recording(row)
    logger.warning("the features of %s in %s are damaged; they are computed again", recording.file, work.shelf.folder)
    with _one_thread():
        work.compute(recording)


@dataclass(frozen=True)
class _Missing:
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
        state = _state(file)
        return digest_file(file), state, not layout_of(path).as_it_stands
    except OSError as error:
        return f"{error.strerror or error}; correct its name in the manifest"
    except UnreadableError as error:
        return str(error)


def _state(file: str) -> State:
    found = Path(file).stat()
    return found.st_size, found.st_mtime_ns


def _seconds(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _key(digest: bytes, span: np.ndarray, mended: bool) -> str:
    """What a map is found by. Of a file that is mended, a map of what libsndfile alone reads may be there, too."""
    start, end = map(_seconds, span)
    return digest_text(f"{digest.decode()} {start} {end}{' mended' if mended else ''}")


def _lengths(shelf: Shelf, keys: np.ndarray) -> np.ndarray:
    """Frames of each row's map, int64; 0 where it is not stored."""
    return np.fromiter((shelf.frames(key.decode()) or 0 for key in keys), np.int64, len(keys))


def _extract(missing: _Missing, work: Work, workers: int, progress: Progress) -> dict[int, str]:
    """Compute maps; returns the bad recordings, reason by row."""
    faults: dict[int, str] = {}
    if len(missing):
        work.shelf.prepare(work.extractor.settings)
    done = 0
    for count, bad in _outcomes(missing, work, workers):
        done += count
        faults.update(bad)
        progress("features", done, len(missing))
    return faults


def _outcomes(missing: _Missing, work: Work, workers: int) -> Iterator[Outcome]:
    """Work in this process, until what is left is known to be worth the start of others."""
    chunks = missing.chunks()
    began, done = time.monotonic(), 0
    for chunk in chunks:
        with _one_thread():
            outcome = work(chunk)
        yield outcome
        done += len(chunk)
        seconds_left = (time.monotonic() - began) / done * (len(missing) - done)
        if workers > 1 and seconds_left > POOL_PAYS_SECONDS:
            yield from _in_processes(chunks, work, workers)


@contextmanager
def _one_thread() -> Iterator[None]:
    """A clip is too small to share, and one thread gives the same bits in every process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_processes(chunks: Iterator[Sequence[Recording]], work: Work, workers: int) -> Iterator[Outcome]:
    """Few chunks are in flight at a time."""
    try:
        with start_pool(workers, _start_worker, work) as pool:
            pending: set[Future[Outcome]] = set()
            for chunk in chunks:
                pending.add(pool.submit(_work_in_worker, chunk))
                if len(pending) >= 4 * workers:
                    finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
            yield from (future.result() for future in as_completed(pending))
    except BrokenProcessPool:
        raise ConfigError(
            f"data.workers: one of {workers} processes died, for lack of memory or because the calling script lacks "
            '`if __name__ == "__main__":`; what they stored is kept, set data.workers=1 to go on in one process'
        ) from None


_worker: Callable[[Sequence[Recording]], Outcome]
"""The work of a worker process, sent once."""


def _start_worker(work: Work) -> None:
    global _worker  # the only state that a pool hands from an initialiser to its tasks
    _worker = work
    torch.set_num_threads(1)


def _work_in_worker(chunk: Sequence[Recording]) -> Outcome:
    return _worker(chunk)
