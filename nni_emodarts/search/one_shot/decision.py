"""How decided a trained supernet is, and what is lost when it is cut down to what was chosen."""

from typing import Protocol

import torch

from nni_emodarts.metrics.decision import CHANCE, DECIDED, ENTROPY, discrete, is_decided
from nni_emodarts.models.architecture import Sample
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.search.one_shot.contract import OneShotSearch
from nni_emodarts.search.one_shot.entropy import mean_entropy


class Judging(Protocol):
    """A part of the data that a supernet is asked about; see `nni_emodarts.search.one_shot.judging.Judge`."""

    figure: str
    """Name of the figure that chooses."""

    def score(self, search: OneShotSearch) -> float:
        """That figure of a supernet as it stands."""

    def chance_p(self, search: OneShotSearch) -> float:
        """p of the hypothesis that it answers no better than chance."""

    def recalibrate(self, search: OneShotSearch) -> None:
        """Measure the statistics of batch normalisation anew."""


@torch.no_grad()
def measure_decision(search: OneShotSearch, choices: Sample, validation: Judging, second_half: Judging) -> JsonObject:
    """How decided a trained supernet is, by the keys of `nni_emodarts.metrics.decision`; nothing without alphas.

    The weights of all that was not chosen become zero for it, and stay so. Batch normalisation is measured anew then,
    since its statistics were those of a mixture, so that what is left of a gap is the choices'.

    What is left must beat chance twice. On the validation part alone, weights that learnt noise may do so by luck:
    recordings of one emotion are alike, and are answered alike. On the half that alphas learnt from, alphas may have
    fitted noise. So the larger p counts.

    Args:
        search: the search, at its end.
        choices: what it chose, for every label.
        validation: the validation part.
        second_half: the half of the training part that alphas learnt from.
    """
    probabilities = search.choice_probabilities()
    if not probabilities:
        return {}
    entropy = float(mean_entropy(probabilities.values()))
    search.discretize(choices)
    validation.recalibrate(search)
    p = max(judge.chance_p(search) for judge in (validation, second_half))
    found = {ENTROPY: entropy, discrete(validation.figure): validation.score(search)}
    return {**found, CHANCE: p, DECIDED: is_decided(entropy, p)}
