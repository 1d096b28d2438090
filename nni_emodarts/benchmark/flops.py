"""FLOPs of a cell's network."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from nni_emodarts.benchmark.probe import levels_of
from nni_emodarts.config import FUNCTIONALS, ExperimentConfig, InputShape, of_stream
from nni_emodarts.data.features.functionals import FUNCTIONAL_SETS
from nni_emodarts.data.front_ends import stream_shape
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import BASELINES, ON_LEVELS, Baseline, build_baseline
from nni_emodarts.models.costs import architecture_cost, count_flops, frames_per_second


def cell_flops(config: ExperimentConfig, cell: FinishedCell, architectures: Sequence[Architecture] = ()) -> int | None:
    """FLOPs of a cell's network for one second of audio; None of an SVM, whose features are not counted.

    Args:
        config: what it was computed with.
        cell: its figures.
        architectures: of its networks, where it has several; that of the cell where absent.
    """
    frames, classes = frames_per_second(config.features), len(cell.classes) + len(cell.dimensions or ())
    if cell.architecture is not None:
        architectures = [Architecture.from_dict(cell.architecture)]
    if architectures:
        # An architecture of another corpus says how many classes that one has; the recipe says how wide it becomes.
        networks = [each.widened(config.retrain.width) for each in architectures]
        shapes = {stream.name: stream_shape(stream) for stream in config.features.heard}
        if config.features.functionals is not None:
            shapes[FUNCTIONALS] = (1, FUNCTIONAL_SETS[config.features.functionals])
        shape: InputShape = shapes if len(shapes) > 1 else next(iter(shapes.values()))
        return round(sum(architecture_cost(network, "flops", frames, classes, shape) for network in networks))
    if cell.method in BASELINES:
        stream = levels_of(config) if cell.method in ON_LEVELS else config.features.heard[0]
        return _baseline_flops(cell.method, classes, stream_shape(stream), of_stream(frames, stream.name))
    return None


@lru_cache(maxsize=64)
def _baseline_flops(name: str, num_classes: int, input_shape: tuple[int, int], frames: int) -> int:
    with torch.random.fork_rng(devices=[]):  # its weights are drawn in vain
        network = build_baseline(Baseline(name), num_classes, input_shape)
    return count_flops(network, input_shape, frames)
