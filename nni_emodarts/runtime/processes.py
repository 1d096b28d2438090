"""Processes that work for this one, and end with it; signals that end this one."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from nni_emodarts.errors import LostProcessError
from nni_emodarts.runtime.environment_variables import environment_with

_PATIENCE = 2.0  # seconds that a worker has to end by itself
_LOOK = 0.1  # seconds between two looks at what processes say


@contextmanager
def start_pool(
    workers: int, begin: Callable[..., object] | None = None, *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """Processes that are spawned rather than forked, since torch's threads do not survive a fork.

    They import nothing from the current folder, which may be anybody's: a `pickle.py` in it would run. Where what is
    done with them fails, tasks that have not begun are dropped; where it is left, by Ctrl+C or another signal that ends
    this process, they end at once.

    Args:
        workers: how many.
        begin: called once in each, before its first task.
        arguments: of `begin`; sent once.
    """
    context = multiprocessing.get_context("spawn")
    with environment_with({"PYTHONSAFEPATH": "1"}):
        pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(begin, arguments))
        try:
            yield pool
        except Exception:
            pool.shutdown(cancel_futures=True)
            raise
        except BaseException:
            try:
                _end_workers(pool)
            except BaseException:  # a second signal, whatever it cut off
                _kill_workers(pool)
                raise
            raise
        pool.shutdown()


class Watch(NamedTuple):
    """What happens here while processes work; what is raised ends them.

    Attributes:
        tell: called with the arguments that a process tells.
        look: called again and again.
    """

    tell: Callable[..., object]
    look: Callable[[], object] = int


def run_at_once(count: int, work: Callable[..., Any], *arguments: Any, watch: Watch) -> Any:
    """Run a function in so many processes at once, which wait for each other; what one raises ends all.

    Args:
        count: how many.
        work: called in each with its number from 0, a function that tells this process something, and the arguments.
        *arguments: of `work`; sent to each.
        watch: what happens here meanwhile, in this thread.

    Returns:
        What the process of number 0 returned.

    Raises:
        LostProcessError: one of them ended without a word.
    """
    told: Any = multiprocessing.get_context("spawn").SimpleQueue()
    with start_pool(count, _take_part, told, work, arguments) as pool:
        try:
            parts = [pool.submit(_do_part, number) for number in range(count)]
            while not _all_done(parts, pool):
                while not told.empty():
                    watch.tell(*told.get())
                watch.look()
            while not told.empty():
                watch.tell(*told.get())
            return parts[0].result()
        except BaseException as error:
            _end_workers(pool)  # the others wait for one that will not come
            if isinstance(error, BrokenProcessPool):
                raise LostProcessError(
                    f"one of {count} processes that train together was killed, or ran out of memory; run the command "
                    f"again, with --resume where it has that"
                ) from None
            raise


def _all_done(parts: Sequence[Future[Any]], pool: ProcessPoolExecutor) -> bool:
    """Whether all parts are done, after a short wait; the first error of one is raised.

    A pool does not see the end of a process that it started while it waited for another; so it is looked for here.
    """
    done, left = wait(parts, _LOOK, FIRST_EXCEPTION)
    for part in done:
        part.result()
    if left and any(worker.exitcode is not None for worker in list((pool._processes or {}).values())):
        raise BrokenProcessPool
    return not left


_part: dict[str, Any] = {}
"""What this process is to do with others at once."""


def _take_part(told: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    _part.update(told=told, work=work, arguments=arguments)


def _do_part(number: int) -> Any:
    return _part["work"](number, lambda *said: _part["told"].put(said), *_part["arguments"])


def _end_workers(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool, whatever they do."""
    workers = list((pool._processes or {}).values())
    for worker in workers:
        worker.terminate()
    until = time.monotonic() + _PATIENCE
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))
    _kill_workers(pool)
    pool.shutdown(cancel_futures=True)


def _kill_workers(pool: ProcessPoolExecutor) -> None:
    """Without patience: one that lives on would keep this process from ending."""
    for worker in list((pool._processes or {}).values()):
        worker.kill()


@contextmanager
def threads_of_others(count: int) -> Iterator[None]:
    """Processes started inside use so many threads; two that use all of them spin against each other."""
    with environment_with({"OMP_NUM_THREADS": str(count)}):
        yield


def process_name() -> str:
    """This process as `PID:START`; its start, in ticks since the machine's, tells it from a later one of its number."""
    return f"{os.getpid()}:{_state_and_start('self')[1]}"


def is_alive(name: str) -> bool:
    """Whether the process of a `process_name` has not ended."""
    number, _, start = name.partition(":")
    try:
        state, started = _state_and_start(number)
    except OSError:
        return False
    return started == start and state != "Z"


def _state_and_start(process: str) -> tuple[str, str]:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    return fields[0], fields[19]


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
            _leave(number, frame)

    with _handling(note, [signal.SIGINT, *_ENDINGS]):
        yield
    if came:
        signal.raise_signal(came[0])


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside ignore Ctrl+C, which a terminal sends to them, too; this one decides."""
    if threading.current_thread() is not threading.main_thread():  # where Python handles no signal
        yield
        return
    with _handling(signal.SIG_IGN, [signal.SIGINT]):
        yield


@contextmanager
def _handling(handler: Callable[[int, Any], Any] | signal.Handlers, numbers: Iterable[int]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


def _leave(number: int, frame: Any) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def exit_status(left: SystemExit) -> int | str | None:
    """The status with which this process is to end: 128 + the signal's number, where one ended it.

    Lightning's own exceptions carry none: a training that SIGTERM stops would end with 0, as if it were whole, and one
    that Ctrl+C stops with 1.
    """
    if isinstance(left.__context__, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if type(left).__name__ == "SIGTERMException":  # Lightning's, which is not imported for its name
        return 128 + signal.SIGTERM
    return left.code


def end_by_signal(number: int) -> None:
    """End this process as the signal would, had nobody handled it, so that its parent hears of the signal."""
    sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _begin(begin: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; this one's parent decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if begin is not None:
        begin(*arguments)


def _leave_with_parent() -> None:
    """End with the parent: after its SIGKILL a worker would end its task first and then wait for others for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
