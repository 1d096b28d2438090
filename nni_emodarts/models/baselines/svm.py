"""openSMILE functionals and a linear support vector machine: what people use where nothing is searched or trained long.

The settings are those of the challenges that the feature sets were made for (Schuller et al. 2016; Eyben et al. 2016):
one complexity for each set, fixed beforehand, so that nothing is chosen on anybody's speakers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


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

    def settings(self) -> dict[str, Any]:
        """What decides its predictions besides recordings and folds, as plain data."""
        return {"feature_set": self.feature_set, "complexity": self.complexity, "format": FORMAT}


FORMAT = 1
"""Raised whenever the same settings would give other predictions."""
SVMS = {
    design.id: design
    for design in (SvmDesign("egemaps_svm", "eGeMAPSv02", 0.1), SvmDesign("compare_svm", "ComParE_2016", 1e-4))
}
"""Names of the support vector machines."""


def fit_svm(design: SvmDesign, features: np.ndarray, labels: np.ndarray) -> Pipeline:
    """Standardise features and fit a linear SVM, each class weighted inversely to its frequency.

    Args:
        design: which SVM.
        features: of the training utterances (n, D); the mean and deviation come from them alone.
        labels: their classes (n,).

    Returns:
        A pipeline whose `predict` takes features (m, D).
    """
    svm = SVC(kernel="linear", C=design.complexity, class_weight="balanced")
    return make_pipeline(StandardScaler(), svm).fit(np.asarray(features, np.float64), labels)


def count_parameters(fitted: Pipeline) -> int:
    """Weights and offsets of a fitted SVM: D + 1 for each pair of classes."""
    svm = fitted[-1]
    return int(svm.coef_.size + svm.intercept_.size)
