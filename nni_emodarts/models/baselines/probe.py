"""Linear probes of a pretrained encoder: what its levels say by themselves, with nothing learnt but a classifier."""

from dataclasses import dataclass
from typing import Literal

from nni_emodarts.config.registry import Registry
from nni_emodarts.runtime.plain_data import JsonObject

FORMAT = 1
"""Raised whenever the same settings would give other predictions."""
STRENGTHS = (0.001, 0.01, 0.1)
"""C of the logistic regression that is chosen from, the strongest regularisation first."""
COMPLEXITIES = (1e-4, 1e-3, 1e-2)
"""C of the support vector regression that is chosen from, the strongest regularisation first."""
INNER_FOLDS = 4
"""Divisions of the training speakers by which level and strength are chosen."""
DRAWS = 3
"""How often a training utterance is heard where it is normalised by random other recordings of its speaker."""


@dataclass(frozen=True)
class ProbeDesign:
    """Mean and deviation over time of one level, and a logistic regression, or a regression of each dimension.

    Attributes:
        id: its name.
        last_level: whether the level is the last one; else it is chosen, on training speakers, like the strength.
        regression: how dimensions are learnt: ridge regression, or support vectors, which are of dimensions alone.
    """

    id: str
    last_level: bool
    regression: Literal["ridge", "svr"] = "ridge"

    @property
    def name(self) -> str:
        """Its name."""
        return self.id

    def settings(self) -> JsonObject:
        """What decides its predictions besides recordings, features and folds, as plain data."""
        strengths = COMPLEXITIES if self.regression == "svr" else STRENGTHS
        chosen = {"strengths": list(strengths), "inner_folds": INNER_FOLDS, "draws": DRAWS, "format": FORMAT}
        return {"last_level": self.last_level, **chosen}


PROBES = Registry(
    "probe",
    ProbeDesign("linear_probe", last_level=False),
    ProbeDesign("last_level_probe", last_level=True),
    ProbeDesign("svr_probe", last_level=False, regression="svr"),
)
"""The probes."""
