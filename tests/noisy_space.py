"""A space of pretrained levels and cells whose figures are made up, with the noise that real tables show.

Deviations as they were measured on RAVDESS with Whisper's levels: between architectures 0.088, or 0.026 without the two
bad levels, of which 0.016 are not the level's; architecture x fold 0.02; seeds 0.018.
"""

import hashlib

import numpy as np

from nni_emodarts.config import SpaceConfig, load_config
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import flat_choices, flat_sample
from nni_emodarts.models.space.draws import draw_architectures

OF_LEVEL = {"0": 0.587, "1": 0.694, "2": 0.732, "3": 0.739, "4": 0.742, "5": 0.729, "6": 0.712}
"""Test UAR of a linear head on each level."""
WITHIN_LEVEL, BY_FOLD, BY_SEED = 0.016, 0.020, 0.018
ALL, GOOD = 0.088, 0.026
SHAPE = 8, (7, 512)


class NoisySpace:
    """The figures of a space's architectures."""

    def __init__(self, deviation: float, plant: int = 0) -> None:
        """Plant what is good.

        Args:
            deviation: between architectures: `ALL` with the two bad levels, `GOOD` without.
            plant: seed of what is good but for the level: half of that variance belongs to single choices, half to
                their combinations.
        """
        config = load_config("pretrained", settings=["space.joined_levels=1", "space.shortcut=false"])
        levels = tuple(range(7)) if deviation == ALL else (2, 3, 4, 5, 6)
        hears = config.space.hears[0].model_copy(update={"levels": levels})
        self.space: SpaceConfig = config.space.model_copy(update={"hears": (hears,)})
        self._plant = plant
        self._of_level = _scaled(
            {str(level): OF_LEVEL[str(level)] for level in levels}, float(np.sqrt(deviation**2 - WITHIN_LEVEL**2))
        )
        drawn = [made for _, made in zip(range(200), draw_architectures(self.space, *SHAPE, [plant], {}), strict=False)]
        sums = [self._additive(architecture) for architecture in drawn]
        self._mean, self._scale = float(np.mean(sums)), WITHIN_LEVEL / np.sqrt(2) / float(np.std(sums))
        self.best = max(self.true(architecture) for architecture in drawn)
        """Of 200 random ones."""

    def true(self, architecture: Architecture) -> float:
        """Test UAR, averaged over folds and seeds without end."""
        level = self._of_level[str(architecture.choices[f"level_{self.space.hears[0].name}"])]
        additive = (self._additive(architecture) - self._mean) * self._scale
        return 0.7 + level + additive + self._normal(architecture.id) * WITHIN_LEVEL / np.sqrt(2)

    def figure(self, architecture: Architecture, fold: int, seed: int) -> float:
        """Validation UAR of one training."""
        of_fold = 0.03 * self._normal("fold", fold) + BY_FOLD * self._normal(architecture.id, fold)
        return self.true(architecture) + of_fold + BY_SEED * self._normal(architecture.id, fold, seed)

    def _additive(self, architecture: Architecture) -> float:
        chosen = flat_sample(architecture)
        labels = [label for label in flat_choices(self.space) if label in chosen and not label.startswith("level_")]
        return sum(self._normal(label, chosen[label]) for label in labels)

    def _normal(self, *key: object) -> float:
        digest = hashlib.sha256(repr((self._plant, *key)).encode()).digest()
        return float(np.random.default_rng(int.from_bytes(digest[:8], "big")).normal())


def _scaled(values: dict[str, float], deviation: float) -> dict[str, float]:
    known = np.array(list(values.values()))
    return {name: float((value - known.mean()) / known.std() * deviation) for name, value in values.items()}
