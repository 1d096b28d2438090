"""What stands for openSMILE, which is an extra."""

from itertools import pairwise

import numpy as np

from nni_emodarts.data.features import functionals


class Smile:
    """Levels of octaves, repeated to the number of features that the set has."""

    def __init__(self, feature_set: str) -> None:
        self.features = functionals.FUNCTIONAL_SETS[feature_set]

    def process_signal(self, waveform: np.ndarray, rate: int) -> np.ndarray:
        power = np.abs(np.fft.rfft(waveform)) ** 2
        edges = np.geomspace(1, len(power), 12).astype(int)
        levels = [np.log(power[low : high + 1].mean() + 1e-12) for low, high in pairwise(edges)]
        return np.resize(np.array(levels), self.features)[np.newaxis]
