"""Choosing by what a removal costs, rather than by alpha (DARTS-PT, Wang et al. 2021, algorithm 1)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from nni_emodarts.config import NONE
from nni_emodarts.models.architecture import Sample
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation


def choose_by_perturbation(
    modules: dict[str, list[MixedOperation | MixedNode]],
    evaluate: Callable[[], float],
    tune: Callable[[], None],
    seed: int,
) -> Sample:
    """Operations first, edge by edge in random order, then the inputs of each node.

    Of an edge the operation is kept whose removal lowers the validation figure most; the others are taken out of the
    supernet, which is then tuned, before the next edge is judged. Likewise a node keeps the inputs whose removal hurts
    most. Between equals, which are many where a figure counts few answers, alpha decides. `none` is never kept.

    Args:
        modules: the supernet's modules of each label; those of one label share their alphas.
        evaluate: the validation figure of the supernet as it stands; larger is better.
        tune: trains the supernet's weights a little.
        seed: seed of the order.
    """
    generator = np.random.default_rng(seed)
    edges = [label for label, found in modules.items() if isinstance(found[0], MixedOperation)]
    nodes = [label for label, found in modules.items() if isinstance(found[0], MixedNode)]
    choices: Sample = {}
    for label in generator.permutation(edges):
        names = list(modules[label][0].names)
        figures = _without_each(modules[label], [name != NONE for name in names], evaluate)
        kept = _worst(figures, modules[label][0], 1)
        choices[label] = names[kept[0]]
        _keep(modules[label], kept)
        tune()
    for label in generator.permutation(nodes):
        node = modules[label][0]
        figures = _without_each(modules[label], [True] * node.n_candidates, evaluate)
        kept = sorted(_worst(figures, node, node.n_chosen))
        choices[label] = kept
        _keep(modules[label], kept)
        tune()
    return choices


def _without_each(
    modules: Sequence[MixedOperation | MixedNode], eligible: list[bool], evaluate: Callable[[], float]
) -> list[float]:
    """The validation figure without each of the eligible weights; infinite for the others.

    Without the only one of an edge nothing is left to be measured.
    """
    if len(eligible) == 1:
        return [0.0]
    figures = []
    for position, may in enumerate(eligible):
        if not may:
            figures.append(float("inf"))
            continue
        _keep(modules, [other for other in range(len(eligible)) if other != position])
        figures.append(evaluate())
    _keep(modules, list(range(len(eligible))))
    return figures


def _worst(figures: list[float], module: MixedOperation | MixedNode, count: int) -> list[int]:
    """Positions of the lowest figures; between equals, of the largest alphas."""
    alphas = module._arch_alpha.detach().cpu().numpy()
    found: list[int] = np.lexsort((-alphas, figures))[:count].tolist()
    return found


def _keep(modules: Sequence[MixedOperation | MixedNode], positions: list[int]) -> None:
    for module in modules:
        kept = torch.zeros_like(module._arch_alpha.detach())
        kept[positions] = 1
        module.kept = kept
