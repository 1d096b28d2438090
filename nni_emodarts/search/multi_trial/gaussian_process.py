"""Networks as numbers, and a Gaussian process that learns figures from them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nni_emodarts.config import SpaceConfig
from nni_emodarts.models.architecture import is_layer
from nni_emodarts.models.flat_space import flat_choices
from nni_emodarts.search.multi_trial.proposing import Network

Codes = npt.NDArray[np.float64]
"""(n, D) a row for each network: 1 for each choice that it has and that matters, else 0."""
Values = npt.NDArray[np.float64]

_WEIGHTS = (0.1, 0.5, 1.5, 5.0)
_NOISES = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
_PASSES = 2
_USUAL_WEIGHT, _USUAL_NOISE = 0.5, 0.4
_WEIGHT_SPREAD, _NOISE_SPREAD = 1.0, 0.25
"""Priors: of a weight's logarithm and of the noise's share, normal around what is usual. A few figures move neither."""
_TINY = 1e-9


class Encoding:
    """How networks of a space become numbers, one for each choice of each label.

    Attributes:
        groups: (G, D) which numbers belong together: each choice outside the cells by itself, and each kind of cell.
    """

    def __init__(self, space: SpaceConfig) -> None:
        """Number the choices."""
        pairs = [(label, value) for label, values in flat_choices(space).items() for value in values]
        self._places = {pair: place for place, pair in enumerate(pairs)}
        names = [label if is_layer(label) else label.partition("_")[0] for label, _ in pairs]
        self.groups: Values = np.array([[each == name for each in names] for name in dict.fromkeys(names)], float)

    def encode(self, networks: Sequence[Network]) -> Codes:
        """A row for each network."""
        codes = np.zeros((len(networks), len(self._places)))
        for row, network in enumerate(networks):
            codes[row, [self._places[pair] for pair in network]] = 1
        return codes


class GaussianProcess:
    """Regression with a kernel that falls with the number of choices that differ (Rasmussen & Williams 2006, ch. 2, 5).

    k(x, y) = exp(-sum over groups of weight x share of the group's choices that differ). Weights of groups and the
    share of the noise are the most likely ones under weak priors, group by group on a grid: so the model finds out
    which choices matter, and how noisy figures are.
    """

    def __init__(self, known: Codes, figures: Sequence[float], groups: Values) -> None:
        """Learn.

        Args:
            known: networks whose figures are known.
            figures: of each.
            groups: of `Encoding`.
        """
        self._known, self._groups = known, groups
        values = np.asarray(figures, dtype=float)
        self._mean, self._scale = float(values.mean()), float(values.std()) or 1.0
        self._targets = (values - self._mean) / self._scale
        distances = self._distances(known)
        self._weights, self._noise = np.full(len(groups), _USUAL_WEIGHT), _USUAL_NOISE
        best = self._probability(distances, self._weights, self._noise)
        for _ in range(_PASSES):
            for noise in _NOISES:
                if (found := self._probability(distances, self._weights, noise)) > best:
                    best, self._noise = found, noise
            for group in range(len(groups)):
                for weight in _WEIGHTS:
                    tried = np.where(np.arange(len(groups)) == group, weight, self._weights)
                    if (found := self._probability(distances, tried, self._noise)) > best:
                        best, self._weights = found, tried
        self._factor, self._solved = self._solve(distances, self._weights, self._noise)

    def predict(self, codes: Codes) -> tuple[Values, Values]:
        """Mean and standard deviation (n,) of the figures of networks, without the noise of a training."""
        cross = (1 - self._noise) * np.exp(-np.tensordot(self._weights, self._distances(codes), 1))
        left = np.linalg.solve(self._factor, cross.T)
        variance = np.maximum(1 - self._noise - (left**2).sum(0), _TINY)
        return self._mean + self._scale * (cross @ self._solved), self._scale * np.sqrt(variance)

    def _distances(self, codes: Codes) -> Values:
        """(G, n, known) share of each group's choices that differ."""
        found = []
        for group in self._groups:
            mine, theirs = codes * group, self._known * group
            counts = mine.sum(1)[:, None] + theirs.sum(1)
            found.append((counts - 2 * mine @ theirs.T) / np.maximum(counts, 1))
        return np.stack(found)

    def _probability(self, distances: Values, weights: Values, noise: float) -> float:
        factor, solved = self._solve(distances, weights, noise)
        far = ((np.log(weights / _USUAL_WEIGHT) / _WEIGHT_SPREAD) ** 2).sum() + (
            (noise - _USUAL_NOISE) / _NOISE_SPREAD
        ) ** 2
        return float(-0.5 * (self._targets @ solved + far) - np.log(np.diag(factor)).sum())

    def _solve(self, distances: Values, weights: Values, noise: float) -> tuple[Values, Values]:
        kernel = (1 - noise) * np.exp(-np.tensordot(weights, distances, 1))
        kernel[np.diag_indices_from(kernel)] += noise + _TINY
        factor: Values = np.asarray(np.linalg.cholesky(kernel), dtype=np.float64)
        return factor, np.linalg.solve(factor.T, np.linalg.solve(factor, self._targets))
