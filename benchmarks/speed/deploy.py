"""`python -m benchmarks.speed.deploy`: a clip's emotion in PyTorch, ONNX and int8, time on one core and size.

Networks are untrained: weights change neither time nor size. Features are part of the time.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.speed.measuring import Step, measure, write_figures
from nni_emodarts.config import load_config
from nni_emodarts.data.features import FeatureExtractor, Normalizer
from nni_emodarts.deploy.export import export_network
from nni_emodarts.deploy.onnx_network import OnnxNetwork
from nni_emodarts.deploy.quantisation import quantise
from nni_emodarts.deploy.torch_network import TorchNetwork
from nni_emodarts.models.baselines import BASELINES, ON_MAPS
from nni_emodarts.models.space import build_model, random_architecture

SECONDS = 3.0
CLASSES = 4
CALLS = 20
"""Recognised clips of a step."""
GOAL_MS = 10.0
NETWORKS = (*ON_MAPS, "0", "1")
FORMATS = ("pytorch", "onnx", "int8")


def make_step(preset: str, network: str, kind: str) -> Step:
    """Recognise a clip so many times.

    Args:
        preset: of features and space.
        network: a hand-designed network, or the seed of a random architecture.
        kind: of `FORMATS`.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    own = reference(preset, network)
    recognise, size = _formatted(own, kind)
    rate = own.extractor.sampling_rate
    clip = 0.1 * np.random.default_rng(0).standard_normal(round(SECONDS * rate)).astype(np.float32)

    def step() -> dict[str, Any]:
        for _ in range(CALLS):
            recognise([clip])
        return {"bytes": size, "parameters": sum(weight.numel() for weight in own.model.parameters())}

    return step


def reference(preset: str, network: str) -> TorchNetwork:
    """A network, untrained, with the features of a preset."""
    torch.manual_seed(0)
    config = load_config(preset)
    extractor = FeatureExtractor(**config.features.spectral())
    rows = extractor.feature_rows
    return TorchNetwork(extractor, Normalizer(np.zeros(rows), np.ones(rows)), _model(config, network))


def _model(config: Any, network: str) -> nn.Module:
    shape = config.features.input_shape
    if network in BASELINES:
        return BASELINES[network].load()(CLASSES, shape)
    return build_model(random_architecture(config.space, CLASSES, shape, int(network)))


def _formatted(own: TorchNetwork, kind: str) -> tuple[Callable[..., np.ndarray], int]:
    """What recognises, and its size on disk in bytes."""
    if kind == "pytorch":
        return own, sum(value.numel() * value.element_size() for value in own.model.state_dict().values())
    data = export_network(own, [str(number) for number in range(CLASSES)])
    data = quantise(data) if kind == "int8" else data
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(data)
        file.flush()
        return OnnxNetwork(file.name), len(data)


def main() -> None:
    """Measure each network in each format, in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="hand-designed networks, seeds of random ones")
    parser.add_argument("--repeats", type=int, default=5, help=f"timed steps of {CALLS} clips each")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows = _others(arguments.json, arguments.networks.split(","))
    for network in arguments.networks.split(","):
        for kind in FORMATS:
            wanted = {"preset": arguments.preset, "network": network, "kind": kind}
            found = measure("benchmarks.speed.deploy:make_step", wanted, arguments.repeats, threads=1)
            all_ms = [1e3 * seconds / CALLS for seconds in found.all_seconds]
            times = {"ms": statistics.median(all_ms), "best_ms": min(all_ms)}
            rows.append({"network": network, "format": kind, **times, **found.facts})
            _print(rows[-1])
        figures = {"preset": arguments.preset, "goal_ms": GOAL_MS, "repeats": arguments.repeats}
        ordered = sorted(rows, key=lambda row: NETWORKS.index(row["network"]))
        write_figures(arguments.json, {**figures, "rows": ordered})


def _others(file: Path | None, networks: Sequence[str]) -> list[dict[str, Any]]:
    """Figures of other networks that are in the file: a quiet quarter of an hour can be had in slices."""
    if file is None or not file.is_file():
        return []
    return [row for row in json.loads(file.read_text())["rows"] if row["network"] not in networks]


def _print(row: dict[str, Any]) -> None:
    print(
        f"{row['network']:10} {row['format']:8} {row['ms']:6.2f} ms a clip of {SECONDS:g} s "
        f"(best {row['best_ms']:.2f}), {row['bytes'] / 1e6:6.2f} MB, {row['parameters']:,} parameters",
        flush=True,
    )


if __name__ == "__main__":
    main()
