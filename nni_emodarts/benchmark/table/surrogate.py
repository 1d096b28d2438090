"""A model of a table, which knows figures of architectures that were never trained: what strategies propose from."""

import hashlib

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold, cross_val_predict

from nni_emodarts.benchmark.table.held import Held
from nni_emodarts.config import SpaceConfig
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.reliability import reliability
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.search.multi_trial.gaussian_process import Encoding

_TREES = 60
_FOLDS = 10
_DRAWN = 500
"""Random architectures of which the best is what regret is measured from."""

Values = npt.NDArray[np.float64]


class SurrogateError(Record):
    """What ten-fold cross-validation over the table's architectures says of a surrogate.

    Attributes:
        r2: share of the variance of the architectures' test UAR that it explains.
        rank_correlation: Spearman's, with their test UAR.
        rmse: root mean square error of it.
        deviation: standard deviation of it.
        seconds_r2: as `r2`, of the logarithm of CPU seconds.
        noise: standard deviation of one validation figure around the truth, as the table's figures have it.
    """

    r2: float
    rank_correlation: float
    rmse: float
    deviation: float
    seconds_r2: float
    noise: float


class Surrogate:
    """Extremely randomised trees (Geurts et al. 2006) over the choices, and the table's noise around them.

    An architecture's truth is what the trees say of it, and a part of its own that is drawn once for it, so that
    architectures deviate by as much as those of the table do. A figure is the truth and the noise that the table's
    validation figures have, architecture x fold and seeds in one. That validation and test rank architectures alike but
    for noise is taken for granted, and so is that seconds depend on the choices alone.

    Attributes:
        error: how wrong it is.
        noise: standard deviation of a figure around the truth.
        best: truth of the best of many random architectures; a strategy may find a better one.
    """

    def __init__(self, held: Held, space: SpaceConfig, seed: int = 0) -> None:
        """Learn from a table, and measure on it how wrong that is.

        Args:
            held: what the table knows.
            space: its space.
            seed: of the trees and of all draws.
        """
        self.space, self._seed = space, seed
        self._encoding = Encoding(space)
        codes = self._codes(list(held.architectures))
        seconds = np.log(held.seconds.mean(1))
        self._trees, guessed = _fitted(codes, held.truth, seed)
        self._clocks, guessed_seconds = _fitted(codes, seconds, seed)
        spread = reliability(held.figures)
        self.noise = 0.0 if spread is None else spread.noise
        self.error = SurrogateError(
            noise=self.noise,
            r2=_explained(held.truth, guessed),
            rank_correlation=float(spearmanr(held.truth, guessed).statistic),
            rmse=float(np.sqrt(((held.truth - guessed) ** 2).mean())),
            deviation=float(held.truth.std()),
            seconds_r2=_explained(seconds, guessed_seconds),
        )
        between = 0.0 if spread is None else spread.candidate
        self._own = float(np.sqrt(max(0.0, between**2 - float(guessed.var()))))
        self._known: dict[str, tuple[float, float]] = {}
        drawn = draw_architectures(space, 2, (1, 1), [seed, 1], {})
        self.best = max(self.truth(made) for _, made in zip(range(_DRAWN), drawn, strict=False))

    def truth(self, architecture: Architecture) -> float:
        """Test UAR, averaged over folds and seeds without end."""
        return self._look_up(architecture)[0]

    def seconds(self, architecture: Architecture) -> float:
        """CPU seconds of a training."""
        return self._look_up(architecture)[1]

    def figure(self, architecture: Architecture, search: int, replicate: int) -> float:
        """Validation UAR of one training.

        Args:
            architecture: which.
            search: number of the search, each of which has noise of its own.
            replicate: number of the replicate.
        """
        return self.truth(architecture) + self.noise * self._normal(architecture.id, search, replicate)

    def _look_up(self, architecture: Architecture) -> tuple[float, float]:
        name = architecture.id
        if name not in self._known:
            codes = self._codes([architecture]).astype(np.float32)
            truth = _mean(self._trees, codes) + self._own * self._normal(name)
            self._known[name] = truth, float(np.exp(_mean(self._clocks, codes)))
        return self._known[name]

    def _codes(self, architectures: list[Architecture]) -> Values:
        return self._encoding.encode([tuple(flat_sample(each).items()) for each in architectures])

    def _normal(self, *key: object) -> float:
        digest = hashlib.sha256(repr((self._seed, *key)).encode()).digest()
        return float(np.random.default_rng(int.from_bytes(digest[:8], "big")).normal())


def _fitted(codes: Values, values: Values, seed: int) -> tuple[ExtraTreesRegressor, Values]:
    """Trees that learnt all, and what such trees say of each value that they did not learn."""
    trees = ExtraTreesRegressor(_TREES, min_samples_leaf=3, bootstrap=True, random_state=seed)
    folds = KFold(min(_FOLDS, len(values)), shuffle=True, random_state=seed)
    guessed = cross_val_predict(trees, codes, values, cv=folds)
    return trees.fit(codes, values), np.asarray(guessed)


def _mean(trees: ExtraTreesRegressor, codes: npt.NDArray[np.float32]) -> float:
    """The trees' mean of one architecture; a forest's own `predict` takes ten times as long for one."""
    return float(np.mean([tree.tree_.predict(codes)[0, 0] for tree in trees.estimators_]))


def _explained(values: Values, guessed: Values) -> float:
    """R squared; 0 of values that do not vary."""
    variance = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - guessed) ** 2).sum()) / variance if variance > 1e-12 else 0.0
