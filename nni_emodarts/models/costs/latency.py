"""How long a part takes, measured on this machine's processor."""

import functools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from nni_emodarts.models.costs.part import Part

WARM_UP = 3
"""Passes before the measured ones: the first ones allocate memory and choose kernels."""
REPEATS = 15
"""Measured passes, of which the median counts."""
SWEEP = 2**22
"""Numbers (16 MB) that are touched before each measured pass."""


def latency(part: Part) -> float:
    """Median time of one pass in ms: one utterance, evaluation mode, on the processor, with torch's threads as set.

    Between two passes of a part in a network, the other parts run; so a sweep over memory drives out of the caches what
    a part would find there if it ran alone, over and over. Equal parts are measured once a process. The state of
    torch's generator of random numbers stays what it was.

    The figure holds for this machine and its present load, and is approximate. On one busy processor the sums over the
    parts of 12 networks, 6 times each, were 0.9 to 1.1 times the network's own time in the median of each preset, and
    0.6 to 1.8 times one by one; without the sweep the medians were 0.55 to 0.75.
    """
    return _measure(part, torch.get_num_threads())


@functools.cache
def _measure(part: Part, _threads: int) -> float:
    """Measure a part; the number of threads only tells measurements apart."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        run = functools.partial(part.build().eval(), *part.inputs())
        for _ in range(WARM_UP):
            run()
        memory = torch.zeros(SWEEP)
        return 1000 * statistics.median(_seconds(run, memory) for _ in range(REPEATS))


def _seconds(run: Callable[[], object], memory: Tensor) -> float:
    """One pass, after a sweep over memory."""
    memory.add_(1.0)
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
