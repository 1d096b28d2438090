"""openSMILE functionals and ridge regression: the plainest way to place utterances in dimensions."""

from dataclasses import dataclass

from nni_emodarts.config.registry import Registry
from nni_emodarts.runtime.plain_data import JsonObject

FORMAT = 1
"""Raised whenever the same settings would give other predictions."""
PENALTIES = (1e4, 1e3, 1e2, 1e1)
"""Penalties that are chosen from, the strongest first."""
INNER_FOLDS = 4
"""Divisions of the speakers that are learnt from, by which the penalty is chosen."""


@dataclass(frozen=True)
class RidgeDesign:
    """A ridge regression of each dimension on functionals.

    Attributes:
        id: its name.
        feature_set: name of the functionals.
    """

    id: str
    feature_set: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.id

    def settings(self) -> JsonObject:
        """What decides its predictions besides recordings and folds, as plain data."""
        chosen = {"penalties": list(PENALTIES), "inner_folds": INNER_FOLDS, "format": FORMAT}
        return {"feature_set": self.feature_set, **chosen}


RIDGES = Registry(
    "ridge regression",
    RidgeDesign("egemaps_ridge", "eGeMAPSv02"),
    RidgeDesign("compare_ridge", "ComParE_2016"),
)
"""The ridge regressions."""
