"""Waveform -> openSMILE functionals: statistics of acoustic contours over a whole utterance, one vector each.

The sets are the field's yardsticks: eGeMAPSv02 (Eyben et al. 2016), a small one chosen by phoneticians, and
ComParE_2016 (Schuller et al. 2016), a brute-force one. openSMILE itself is an extra of the package, under a licence of
its own.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from nni_emodarts.config import nearest
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.plain_data import JsonObject

FUNCTIONAL_SETS = {"eGeMAPSv02": 88, "ComParE_2016": 6373}
"""Names of the feature sets, as the package opensmile has them, and how many features they have."""
SAMPLING_RATE = 16_000
"""Of the waveforms in Hz: openSMILE's features depend on it, and one rate makes corpora alike."""


class Functionals:
    """openSMILE functionals as a map of a single frame, which a feature store keeps like any other.

    Args:
        feature_set: `eGeMAPSv02` or `ComParE_2016`.

    Raises:
        ConfigError: an unknown set, or openSMILE is not installed.
    """

    sampling_rate = SAMPLING_RATE

    def __init__(self, feature_set: str) -> None:
        if feature_set not in FUNCTIONAL_SETS:
            raise ConfigError(f"feature set {feature_set!r} is unknown{nearest(feature_set, FUNCTIONAL_SETS)}")
        self.feature_set = feature_set
        self.feature_rows = FUNCTIONAL_SETS[feature_set]
        self._version = _opensmile_version()
        self._smile: Any = None

    @property
    def settings(self) -> JsonObject:
        """Everything that decides the numbers, as plain data."""
        return {
            "kind": "functionals",
            "feature_set": self.feature_set,
            "sampling_rate": self.sampling_rate,
            "opensmile": self._version,
        }

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Waveform (S,) -> features (R, 1), float32; 0 where openSMILE finds no number, as in too short a clip."""
        if self._smile is None:
            self._smile = _load(self.feature_set)
        features = self._smile.process_signal(np.asarray(waveform, np.float32), self.sampling_rate)
        row = np.asarray(features, np.float32).reshape(self.feature_rows, 1)
        return np.nan_to_num(row, nan=0.0, posinf=0.0, neginf=0.0)

    def __getstate__(self) -> JsonObject:
        """Without openSMILE's own state, which each process makes for itself."""
        return {**self.__dict__, "_smile": None}


def _opensmile_version() -> str:
    try:
        return version("opensmile")
    except PackageNotFoundError:
        raise ConfigError(
            "openSMILE functionals need the package opensmile, which is not installed; "
            "pip install 'nni_emodarts[opensmile]'"
        ) from None


def _load(feature_set: str) -> Any:
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)
