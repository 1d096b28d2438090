"""`python -m benchmarks.speed.supernet`: a step of a preset's supernet, plain, accelerated, by its options.

A step is one of the alphas and one of the weights (first-order DARTS), optimisers included. On a device with memory of
its own that memory is reported, too.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.speed.measuring import Measurement, Step, measure, write_figures
from nni_emodarts.config import load_config
from nni_emodarts.config.strategy_options import DartsOptions
from nni_emodarts.models.space import EmoDartsSpace
from nni_emodarts.search.one_shot import make_strategy
from nni_emodarts.search.one_shot.darts import without_gradient
from nni_emodarts.training.trainer import pick_device

BINS, FRAMES = 128, 128
MEASURED = ("plain", "exact", "default")

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"accelerated": False},
    "exact": {"recompute": True},
    "kept": {},
    "default": {"options": True},
}
"""Name -> arguments of `Supernet`. Exact and kept differ from plain in speed and memory alone; kept computes nothing
again in the backward pass. Default has the preset's options."""


class Supernet:
    """A preset's supernet on random maps of 128 x 128, as the paper's, with its optimisers."""

    def __init__(self, preset: str, batch_size: int, device: torch.device, options: bool = False, **how: bool) -> None:
        """Make it.

        Args:
            preset: name of the preset.
            batch_size: N.
            device: where it is computed.
            options: whether the preset's own options of the search, which change the mathematics, are taken.
            how: options that change speed and memory alone.
        """
        settings = load_config(preset, options={"data.manifest": "synthetic"}).search
        factor = settings.coarseness if options else 1
        chosen = {"partial_channels", "shared_depth"} if options else set()
        own = {key: value for key, value in settings.options.items() if key in chosen}
        torch.manual_seed(0)
        bins, frames = -(-BINS // factor), -(-FRAMES // factor)
        space = EmoDartsSpace(4, (1, bins), **load_config(preset).space.identity())
        strategy = make_strategy("darts", DartsOptions.model_validate({**how, **own}), 5.0, [])
        self.model = strategy.mutate_model(space).train().to(device)
        self.device = device
        self.alphas = [value for name, value in self.model.named_parameters() if name.endswith("_arch_alpha")]
        arch = {id(alpha) for alpha in self.alphas}
        self.weights = [parameter for parameter in self.model.parameters() if id(parameter) not in arch]
        self.of_alphas = torch.optim.Adam(self.alphas, 3e-4, fused=True)
        self.of_weights = torch.optim.SGD(self.weights, 0.025, momentum=0.9, fused=True)
        self.maps = torch.randn(batch_size, 1, bins, frames).to(device)
        self.lengths = torch.full((batch_size,), frames).to(device)
        self.labels = torch.randint(4, (batch_size,)).to(device)
        self.options = own | {"coarseness": factor}
        self.recomputed = how.get("recompute", False)

    def step(self) -> dict[str, Any]:
        """One step of the alphas and one of the weights; each computes only the gradients that it uses."""
        for optimizer, others in ((self.of_alphas, self.weights), (self.of_weights, self.alphas)):
            optimizer.zero_grad()
            with without_gradient(others):
                nn.functional.cross_entropy(self.model(self.maps, self.lengths), self.labels).backward()
            optimizer.step()
        facts = {"parameters": sum(weight.numel() for weight in self.weights), "options": self.options}
        if self.device.type != "cpu":
            torch.accelerator.synchronize()  # a step is over when the device has done it, not when it was asked to
            facts["device_peak_bytes"] = torch.accelerator.max_memory_allocated()
        return facts


def make_step(preset: str, batch_size: int, variant: str, device: str) -> Step:
    """A search step of a variant."""
    return Supernet(preset, batch_size, pick_device(device), **VARIANTS[variant]).step


def main() -> None:
    """Measure each variant in a process of its own, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--variants", default=",".join(MEASURED), help="of " + ", ".join(VARIANTS))
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each at least")
    parser.add_argument("--seconds", type=float, default=30, help="how long the steps of each go on at least")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    settings = {key: getattr(arguments, key) for key in ("preset", "batch_size", "repeats", "threads", "device")}
    rows: list[dict[str, Any]] = []
    for name in arguments.variants.split(","):
        wanted = {key: settings[key] for key in ("preset", "batch_size", "device")} | {"variant": name}
        found = measure(
            "benchmarks.speed.supernet:make_step",
            wanted,
            arguments.repeats,
            arguments.threads,
            seconds=arguments.seconds,
        )
        rows.append(_row(name, found))
        _print(rows[-1], rows[0])
        write_figures(arguments.json, {**settings, "variants": rows})  # what was measured stays if the rest is cut off


def _row(name: str, found: Measurement) -> dict[str, Any]:
    return {
        "name": name,
        "seconds": found.seconds,
        "all_seconds": found.all_seconds,
        "peak_bytes": found.peak_bytes,
        **found.facts,
    }


def _print(row: dict[str, Any], first: dict[str, Any]) -> None:
    memory = row.get("device_peak_bytes", row["peak_bytes"])
    print(
        f"{row['name']:8} {row['seconds']:7.2f} s a step ({first['seconds'] / row['seconds']:5.2f} x {first['name']}), "
        f"{memory / 1e9:6.2f} GB, {row['parameters'] / 1e6:7.2f} M parameters, {row['options']}",
        flush=True,
    )


if __name__ == "__main__":
    main()
