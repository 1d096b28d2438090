"""openSMILE functionals and a linear support vector machine: what people use where nothing is searched or trained long.

The settings are those of the challenges that the feature sets were made for (Schuller et al. 2016; Eyben et al. 2016):
one complexity for each set, fixed beforehand, so that nothing is chosen on anybody's speakers.
"""

from dataclasses import dataclass

from nni_emodarts.config.registry import Registry
from nni_emodarts.runtime.plain_data import JsonObject


@dataclass(frozen=True)
class SvmDesign:
    """A support vector machine on functionals.

    Attributes:
        id: its name.
        feature_set: name of the functionals.
        complexity: C, the weight of a margin violation.
    """

    id: str
    feature_set: str
    complexity: float

    @property
    def name(self) -> str:
        """Its name."""
        return self.id

    def settings(self) -> JsonObject:
        """What decides its predictions besides recordings and folds, as plain data."""
        return {"feature_set": self.feature_set, "complexity": self.complexity, "format": FORMAT}


FORMAT = 1
"""Raised whenever the same settings would give other predictions."""
SVMS = Registry(
    "support vector machine",
    SvmDesign("egemaps_svm", "eGeMAPSv02", 0.1),
    SvmDesign("compare_svm", "ComParE_2016", 1e-4),
)
"""The support vector machines."""
