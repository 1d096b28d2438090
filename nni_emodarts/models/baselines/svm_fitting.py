"""How a support vector machine learns from functionals."""

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from nni_emodarts.models.baselines.svm import SvmDesign


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
