"""Processes that work for this one, and end with it."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def start_pool(
    workers: int, begin: Callable[..., object] | None = None, *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """Processes that are spawned rather than forked, since torch's threads do not survive a fork.

    Where what is done with them fails or is left, tasks that have not begun are dropped.

    Args:
        workers: how many.
        begin: called once in each, before its first task.
        arguments: of `begin`; sent once.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(begin, arguments))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def threads_of_others(count: int) -> Iterator[None]:
    """Processes started inside use so many threads; two that use all of them spin against each other."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


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
