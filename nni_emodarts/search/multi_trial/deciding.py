"""Which candidate a search takes in the end, and which others its figures cannot tell from the best."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nni_emodarts.metrics.reliability import Reliability, reliability
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.search.multi_trial.replicates import Estimate

RULE = (
    "within one standard error of the difference of two candidates, from candidates x replicates; the one with the "
    "fewest parameters is taken"
)
"""What a tie is."""


@dataclass(frozen=True)
class Decision:
    """What is taken.

    Attributes:
        taken: name of the candidate.
        leader: name of the one with the best figure.
        tied: names of all candidates that the figures cannot tell from the leader, the leader among them.
        reliability: of the figures; None where they cannot say it.
    """

    taken: str
    leader: str
    tied: tuple[str, ...]
    reliability: Reliability | None

    def described(self) -> JsonObject:
        """As a search's metrics.json has it."""
        known = self.reliability
        told = {} if known is None else {
            "reliability": known.mean,
            "reliability_of_one": known.single,
            "candidate_std": known.candidate,
            "noise_std": known.noise,
            "standard_error": known.standard_error,
        }  # fmt: skip
        return {**told, "best": self.leader, "tied": list(self.tied), "rule": RULE}


def decide(estimates: Mapping[str, Estimate], parameters: Mapping[str, int]) -> Decision:
    """Take the cheapest of those candidates that tie with the best.

    Those compete that have the most replicates, so that they are compared by the same ones. Two tie where their means
    differ by no more than one standard error of such a difference, which the noise of all candidates gives
    (`metrics.reliability`); where nothing is known of the noise, only equals tie.

    Args:
        estimates: of each candidate that was trained, in the order of the search; one at least.
        parameters: of each.
    """
    most = max(len(each.figures) for each in estimates.values())
    racing = {name: each.score for name, each in estimates.items() if len(each.figures) == most}
    leader = max(racing, key=lambda name: racing[name])
    table = np.full((len(estimates), most), np.nan)
    for row, each in enumerate(estimates.values()):
        table[row, : len(each.figures)] = each.figures
    known = reliability(table)
    bound = 0.0 if known is None else known.standard_error
    tied = tuple(name for name, score in racing.items() if racing[leader] - score <= bound)
    taken = min(tied, key=lambda name: (parameters[name], -racing[name]))
    return Decision(taken, leader, tied, known)


def first_of_the_best(estimates: Mapping[str, Estimate]) -> Decision:
    """Take the candidate with the best figure, of equals the earlier one, where each has one figure."""
    best = max(estimates, key=lambda name: estimates[name].score)
    return Decision(best, best, (best,), None)
