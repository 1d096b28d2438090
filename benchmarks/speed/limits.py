"""`python -m benchmarks.speed.limits`: where a search step's time goes, and what the machine could do at best.

Measured of the machine: its matrix peak, its memory bandwidth, and the time of an operation on a handful of numbers,
forward and backward. Counted of a step: operations, the bytes that they read and write, and their arithmetic. Each of
the three limits gives a time below which the step cannot fall unless it does less of that.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.measuring import Step, measure, write_figures
from benchmarks.speed.supernet import VARIANTS, Supernet
from nni_emodarts.search.supernet.sequences import NARROW

FAMILIES: dict[str, tuple[str, ...]] = {
    "convolutions": ("convolution", "depthwise", "conv2d"),
    "pooling": ("pool",),
    "recurrences": ("lstm", "rnn", "tanh", "sigmoid", "baddbmm"),
    "matrix products": ("mm", "linear", "bmm", "matmul"),
    "normalisation and weighted sums": ("moments", "linearsum", "sum", "mean", "var", "norm", "rsqrt"),
    "copies and joins": ("copy", "cat", "fill", "zero", "clone", "index", "stack", "to_copy", "contiguous", "pad"),
    "optimisers": ("optimizer", "fused", "_foreach"),
    "other arithmetic": (
        "mul",
        "add",
        "sub",
        "div",
        "relu",
        "clamp",
        "threshold",
        "pow",
        "neg",
        "bernoulli",
        "softmax",
    ),
}
"""Parts of the names of operations, the first that fits decides; what fits none is bookkeeping: views and autograd."""


FRAMES_A_SEQUENCE_STEP = 4
"""Two reductions halve time."""


class Traffic(TorchDispatchMode):
    """Counts operations that compute, and the bytes of the tensors that they take and give."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count, then compute."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view and "empty" not in func.name():
            self.operations += 1
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return result


def prepare_counts(preset: str, batch_size: int, variant: str) -> Step:
    """Counts of one step, and its time by family of operations."""
    supernet = Supernet(preset, batch_size, torch.device("cpu"), **VARIANTS[variant])
    step = supernet.step
    step()

    def counted() -> dict[str, Any]:
        with Traffic() as traffic:
            step()
        with FlopCounterMode(display=False) as counter:
            step()
        with profile(activities=[ProfilerActivity.CPU]) as record:
            step()
        seconds, calls = _by_family(record)
        return {
            "operations": traffic.operations,
            "bytes": traffic.bytes,
            "flops": counter.get_total_flops() + _library_lstm_flops(supernet),
            "seconds_by_family": seconds,
            "calls_by_family": calls,
        }

    return counted


def _by_family(record: Any) -> tuple[dict[str, float], dict[str, int]]:
    seconds: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for event in record.key_averages():
        name = event.key.lower()
        family = next((key for key, parts in FAMILIES.items() if any(part in name for part in parts)), "bookkeeping")
        if "evaluate_function" in name:  # the engine's own work around an operation
            family = "bookkeeping"
        seconds[family] += event.self_cpu_time_total / 1e6
        calls[family] += event.count
    return dict(seconds.most_common()), dict(calls)


def prepare_machine() -> Step:
    """The machine's limits."""
    return lambda: {"flops_per_second": _matrix_peak(), "bytes_per_second": _bandwidth(), "seconds_a_call": _call()}


def _matrix_peak(size: int = 2048) -> float:
    matrix = torch.randn(size, size)
    return float(2 * size**3 / _median(lambda: matrix @ matrix, 10))


def _bandwidth(elements: int = 2**26) -> float:
    """Bytes read and written in a second by a copy that no cache holds."""
    source, target = torch.ones(elements), torch.empty(elements)
    return 8 * elements / _median(lambda: target.copy_(source), 10)


def _call(count: int = 2_000) -> float:
    """Seconds of an operation on a handful of numbers: half of a forward and a backward pass through a chain."""
    start = torch.ones(8, requires_grad=True)

    def chain() -> None:
        value = start
        for _ in range(count):
            value = value * 1.0
        value.sum().backward()

    return _median(chain, 5) / count / 2


def _median(call: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken[1:])


def _library_lstm_flops(supernet: Supernet) -> float:
    """Arithmetic of the LSTM layers that the library runs, which the counter does not see.

    Two for each weight, frame and pass; five passes: forward in both halves of the step, backward to the inputs in
    both, and to the weights in one. Where edges are computed again, forward passes count twice.
    """
    lstms = [module for module in supernet.model.modules() if isinstance(module, nn.LSTM)]
    layers = [lstm for lstm in lstms if lstm.hidden_size > NARROW]
    weights = sum(weight.numel() for layer in layers for weight in layer.parameters() if weight.dim() == 2)
    batch, frames = len(supernet.maps), supernet.maps.shape[-1] // FRAMES_A_SEQUENCE_STEP
    passes = 7 if supernet.recomputed else 5
    return passes * 2.0 * weights * batch * frames


def main() -> None:
    """Measure the machine, then count each variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--variants", default="exact,default", help="of " + ", ".join(VARIANTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    limits = measure("benchmarks.speed.limits:prepare_machine", {}, 1, arguments.threads).facts
    print(
        f"matrix peak {limits['flops_per_second'] / 1e9:.0f} GFLOP/s, bandwidth {limits['bytes_per_second'] / 1e9:.1f} "
        f"GB/s, {limits['seconds_a_call'] * 1e6:.1f} us an operation",
        flush=True,
    )
    rows = []
    for variant in arguments.variants.split(","):
        wanted = {"preset": arguments.preset, "batch_size": arguments.batch_size, "variant": variant}
        found = measure("benchmarks.speed.limits:prepare_counts", wanted, 1, arguments.threads, warm_up=False)
        rows.append({"name": variant, **found.facts})
        _print(rows[-1], limits)
    settings = {key: getattr(arguments, key) for key in ("preset", "batch_size", "threads")}
    write_figures(arguments.json, {**settings, "limits": limits, "variants": rows})


def bounds(row: dict[str, Any], limits: dict[str, float]) -> dict[str, float]:
    """Seconds that each limit alone asks of a step."""
    return {
        "arithmetic": row["flops"] / limits["flops_per_second"],
        "memory traffic": row["bytes"] / limits["bytes_per_second"],
        "calls": row["operations"] * limits["seconds_a_call"],
    }


def _print(row: dict[str, Any], limits: dict[str, float]) -> None:
    print(
        f"{row['name']}: {row['operations']} operations, {row['bytes'] / 1e9:.1f} GB, {row['flops'] / 1e9:.0f} GFLOP; "
        + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in bounds(row, limits).items())
    )
    for family, seconds in row["seconds_by_family"].items():
        print(f"  {family:33} {seconds:6.2f} s, {row['calls_by_family'][family]:7} calls", flush=True)


if __name__ == "__main__":
    main()
