"""How decided a trained supernet is, and what is lost when it is cut down to what was chosen."""

import torch

from nni_emodarts.metrics.chance import chance_p
from nni_emodarts.metrics.decision import CHANCE, DECIDED, DISCRETE, ENTROPY, is_decided
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.architecture import Sample
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.search.one_shot.contract import OneShotSearch
from nni_emodarts.search.one_shot.entropy import mean_entropy
from nni_emodarts.search.one_shot.validation import Validation


@torch.no_grad()
def measure_decision(search: OneShotSearch, choices: Sample, validation: Validation) -> JsonObject:
    """How decided a trained supernet is, by the keys of `nni_emodarts.metrics.decision`; nothing without alphas.

    The weights of all that was not chosen become zero for it, and stay so. Batch normalisation is measured anew then,
    since its statistics were those of a mixture, so that what is left of a gap is the choices'.
    """
    probabilities = search.choice_probabilities()
    if not probabilities:
        return {}
    entropy = float(mean_entropy(probabilities.values()))
    search.discretize(choices)
    validation.recalibrate(search)
    answers, classes = validation.answers(search), validation.num_classes
    p = chance_p(validation.true, answers, classes)
    figure = uar(validation.true, answers, classes)
    return {ENTROPY: entropy, DISCRETE: figure, CHANCE: p, DECIDED: is_decided(entropy, p)}
