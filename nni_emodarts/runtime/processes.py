"""Processes that work for this one, and end with it; signals that end this one."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def start_pool(
    workers: int, begin: Callable[..., object] | None = None, *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """Processes that are spawned rather than forked, since torch's threads do not survive a fork.

    They import nothing from the current folder, which may be anybody's: a `pickle.py` in it would run. Where what is
    done with them fails or is left, tasks that have not begun are dropped.

    Args:
        workers: how many.
        begin: called once in each, before its first task.
        arguments: of `begin`; sent once.
    """
    context = multiprocessing.get_context("spawn")
    with _in_environment("PYTHONSAFEPATH", "1"):
        pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(begin, arguments))
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def threads_of_others(count: int) -> Iterator[None]:
    """Processes started inside use so many threads; two that use all of them spin against each other."""
    with _in_environment("OMP_NUM_THREADS", str(count)):
        yield


@contextmanager
def _in_environment(name: str, value: str) -> Iterator[None]:
    """A variable that processes started inside inherit."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


_ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is inside as an error would, so that it puts away what it began; in the main thread.

    A signal that this process ignores (nohup) stays ignored.
    """
    with _handling(_leave, [number for number in _ENDINGS if signal.getsignal(number) is not signal.SIG_IGN]):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that end this process, Ctrl+C too, wait until what is inside is done; a second one does not."""
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    with _handling(note, [signal.SIGINT, *_ENDINGS]):
        yield
    if came:
        signal.raise_signal(came[0])


@contextmanager
def _handling(handler: Callable[[int, Any], Any], numbers: Iterable[int]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


def _leave(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _begin(begin: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if begin is not None:
        begin(*arguments)


def _leave_with_parent() -> None:
    """End with the parent: after its SIGKILL a worker would end its task first and then wait for others for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
