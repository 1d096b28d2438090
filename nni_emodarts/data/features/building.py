"""Manifest + extractor -> feature store: only what is missing is computed, over all cores where that pays."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from nni_emodarts.data.features.audio import read_audio
from nni_emodarts.data.features.extractor import Extractor, LargeExtractor
from nni_emodarts.data.features.room import check_room, needed_bytes, read_seconds
from nni_emodarts.data.features.stock import Missing, Recording, lengths_of, state_of, take_stock
from nni_emodarts.data.features.store import FeatureStore, Shelf
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.errors import AudioError, BadRecordings, ConfigError
from nni_emodarts.runtime.processes import start_pool
from nni_emodarts.runtime.progress import Progress, silent

logger = logging.getLogger(__name__)

FEW = 64
"""Missing maps, of so many of which recordings are read to see whether they can be."""
POOL_PAYS_SECONDS = 10.0
"""Work left from which other processes are started: each needs several seconds to import torch."""


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
        maps = extractor.many([waveform for _, waveform in read]) if read else []
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
    if state_of(recording.file) != recording.state:
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
        progress: called as recordings are hashed and features extracted.

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
    cores = len(os.sched_getaffinity(0))
    stock = take_stock(manifest, extractor, Path(root).expanduser(), progress)
    shelf, keys, lengths, missing = stock.shelf, stock.missing.keys, stock.lengths, stock.missing
    work = Work(extractor, shelf)
    _report_damaged(shelf, keys[missing.rows])
    workers = cores if workers is None else workers
    if isinstance(extractor, LargeExtractor) and len(missing):
        missing, needed = _by_length(missing, extractor, cores)
        check_room(extractor, needed, Path(root).expanduser())
        workers, progress = extractor.most_workers(workers), partial(progress, GB=needed / 1e9)
    faults = _extract(missing, work, workers, progress)
    lengths = lengths_of(shelf, keys) if len(missing) else lengths
    store = FeatureStore(shelf, keys, stock.digests, lengths, partial(_mend, missing, work))
    return store, {**stock.unreadable, **faults}


def missing_rows(
    manifest: Manifest, extractor: Extractor, root: str | Path, progress: Progress = silent
) -> npt.NDArray[np.int64]:
    """Rows whose map `fill_store` would compute; arguments as there.

    Where there are few, recordings that cannot be read are left out: their map will never be there.
    """
    missing = take_stock(manifest, extractor, Path(root).expanduser(), progress).missing
    if len(missing) > FEW:
        return missing.rows
    return np.array([row for row in missing.rows if _is_readable(missing.recording(row), extractor)], np.int64)


def _is_readable(recording: Recording, extractor: Extractor) -> bool:
    try:
        _read(recording, extractor.sampling_rate)
    except AudioError:
        return False
    return True


def _by_length(missing: Missing, extractor: LargeExtractor, threads: int) -> tuple[Missing, int]:
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


def _mend(utterances: Missing, work: Work, row: int) -> None:
    """Compute a damaged map again, and say so."""
    recording = utterances.recording(row)
    logger.warning("the features of %s in %s are damaged; they are computed again", recording.file, work.shelf.folder)
    with _one_thread():
        work.compute(recording)


def _extract(missing: Missing, work: Work, workers: int, progress: Progress) -> dict[int, str]:
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


def _outcomes(missing: Missing, work: Work, workers: int) -> Iterator[Outcome]:
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
