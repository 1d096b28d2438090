"""`python -m benchmarks.supernet`: a search step of a preset's supernet, plain, accelerated, by the preset's options.

A step is one of the alphas and one of the weights (first-order DARTS), optimisers included.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.measuring import Measurement, Step, machine, measure
from nni_emodarts.config import load_config
from nni_emodarts.run_folder import write_atomically
from nni_emodarts.space import EmoDartsSpace
from nni_emodarts.strategies import make_strategy
from nni_emodarts.strategies.darts import without_gradient
from nni_emodarts.strategy_options import DartsOptions

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"accelerated": False},
    "exact": {"accelerated": True},
    "default": {"options": True},
}
"""Name -> arguments of `prepare`; exact differs from plain in nothing but speed, default has the preset's options."""


def prepare(
    preset: str, batch_size: int, frames: int = 128, bins: int = 128, accelerated: bool = True, options: bool = False
) -> Step:
    """A step on random maps of 128 x 128, as the paper's."""
    settings = load_config(preset, options={"data.manifest": "synthetic"}).search
    factor = settings.coarseness if options else 1
    chosen = {"partial_channels", "shared_depth"} if options else set()
    own = {key: value for key, value in settings.options.items() if key in chosen}
    torch.manual_seed(0)
    space = EmoDartsSpace(4, (1, bins // factor), **load_config(preset).space.identity())
    strategy = make_strategy("darts", DartsOptions(accelerated=accelerated, **own), 5.0, [])
    model = strategy.mutate_model(space).train()
    alphas = [parameter for name, parameter in model.named_parameters() if name.endswith("_arch_alpha")]
    arch = {id(alpha) for alpha in alphas}
    weights = [parameter for parameter in model.parameters() if id(parameter) not in arch]
    of_alphas = torch.optim.Adam(alphas, 3e-4, fused=True)
    of_weights = torch.optim.SGD(weights, 0.025, momentum=0.9, fused=True)
    maps = torch.randn(batch_size, 1, bins // factor, frames // factor)
    lengths = torch.full((batch_size,), frames // factor)
    labels = torch.randint(4, (batch_size,))

    def step() -> dict[str, Any]:
        for optimizer, others in ((of_alphas, weights), (of_weights, alphas)):
            optimizer.zero_grad()
            with without_gradient(others):
                nn.functional.cross_entropy(model(maps, lengths), labels).backward()
            optimizer.step()
        return {"parameters": sum(weight.numel() for weight in weights), "options": own | {"coarseness": factor}}

    return step


def main() -> None:
    """Measure each variant in a process of its own, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--variants", default=",".join(VARIANTS), help="of " + ", ".join(VARIANTS))
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.variants.split(","):
        wanted = {"preset": arguments.preset, "batch_size": arguments.batch_size, **VARIANTS[name]}
        found = measure("benchmarks.supernet:prepare", wanted, arguments.repeats, arguments.threads)
        rows.append(_row(name, found))
        _print(rows[-1], rows[0])
    if arguments.json:
        settings = {key: getattr(arguments, key) for key in ("preset", "batch_size", "repeats", "threads")}
        figures = json.dumps({**settings, "variants": rows, "machine": machine()}, indent=2)
        write_atomically(arguments.json, figures.encode() + b"\n")


def _row(name: str, found: Measurement) -> dict[str, Any]:
    return {
        "name": name,
        "seconds": found.seconds,
        "all_seconds": found.all_seconds,
        "peak_bytes": found.peak_bytes,
        **found.facts,
    }


def _print(row: dict[str, Any], first: dict[str, Any]) -> None:
    print(
        f"{row['name']:8} {row['seconds']:7.2f} s a step ({first['seconds'] / row['seconds']:5.2f} x {first['name']}), "
        f"{row['peak_bytes'] / 1e9:6.2f} GB, {row['parameters'] / 1e6:7.2f} M parameters, {row['options']}",
        flush=True,
    )


if __name__ == "__main__":
    main()
