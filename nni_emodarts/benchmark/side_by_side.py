"""Jobs side by side, in processes of their own."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.processes import start_pool, threads_of_others

Job = TypeVar("Job")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Job], Result], jobs: Sequence[Job], workers: int, remedy: str) -> Iterator[Result]:
    """What jobs give, as they end; the processor's threads are divided among the processes.

    Args:
        work: does a job; sent to the processes by name.
        jobs: what is to be done.
        workers: processes.
        remedy: the end of the message where one dies: what stays, and how to go on.

    Raises:
        ConfigError: a process died.
    """
    try:
        with threads_of_others(threads_each(workers)), start_pool(workers) as pool:
            for done in as_completed([pool.submit(work, job) for job in jobs]):
                yield done.result()
    except BrokenProcessPool:
        raise ConfigError(
            f"workers: one of {workers} processes died, most likely for lack of memory; {remedy}"
        ) from None
