"""Statistics of a voice are those of the frames of its recordings, and lean to everybody's where few are known."""

import numpy as np
import pytest

from nni_emodarts.data.features import Moments, Normalizer, SpeakerNormalizer
from nni_emodarts.data.features.adaptation import OWN_DEVIATION, PRIOR

ROWS = 5


def recordings(count: int, seed: int = 0, shift: float = 0.0) -> list[np.ndarray]:
    """Maps (R, T) of different lengths, far from zero, so that a naive sum of squares would lose digits."""
    generator = np.random.default_rng(seed)
    return [
        np.asarray(generator.normal(100 + shift, 2, (ROWS, generator.integers(5, 40))), np.float32)
        for _ in range(count)
    ]


def test_moments_of_several_recordings_are_those_of_all_their_frames() -> None:
    maps = recordings(7)
    joined = Moments.join(map(Moments.of, maps))
    frames = np.concatenate(maps, axis=1).astype(np.float64)
    assert len(joined) == 7
    np.testing.assert_allclose(joined.pooled.mean, frames.mean(1), rtol=1e-6)
    np.testing.assert_allclose(joined.pooled.scatter, frames.var(1) * frames.shape[1], rtol=1e-5)
    normalizer = Normalizer.of(joined.pooled)
    fitted = Normalizer.fit(maps, range(7))
    np.testing.assert_allclose(normalizer.mean, fitted.mean, rtol=1e-6)
    np.testing.assert_allclose(normalizer.std, fitted.std, rtol=1e-5)
    picked = joined.pick(np.array([2, 5]))
    one, other = (Moments.of(maps[row]).pooled for row in (2, 5))
    np.testing.assert_allclose(one.joined(other).mean, picked.pooled.mean, rtol=1e-12)
    np.testing.assert_allclose(one.joined(other).scatter, picked.pooled.scatter, rtol=1e-12)
    assert one.joined(other).recordings == 2 == picked.pooled.recordings
    with pytest.raises(ValueError, match="at least one recording"):
        Moments.join([])


def statistics() -> SpeakerNormalizer:
    maps = [*recordings(12, 1), *recordings(12, 2, shift=20.0)]
    return SpeakerNormalizer.fit(Moments.join(map(Moments.of, maps)), np.repeat([4, 9], 12))


def test_deviations_within_speakers_know_nothing_of_how_far_speakers_are_apart() -> None:
    found = statistics()
    assert (found.general.std > 9).all()  # two voices 20 apart
    np.testing.assert_allclose(found.within, 2, rtol=0.1)


@pytest.mark.parametrize("count", [1, 5, OWN_DEVIATION - 1, OWN_DEVIATION, 40])
def test_a_voice_is_normalised_by_its_mean_and_by_its_deviation_once_there_is_enough(count: int) -> None:
    general, maps = statistics(), recordings(count, 3, shift=-30.0)
    frames = np.concatenate(maps, axis=1).astype(np.float64)
    adapted = general.adapted(Moments.join(map(Moments.of, maps)).pooled)
    mean = (count * frames.mean(1) + PRIOR * general.general.mean) / (count + PRIOR)
    np.testing.assert_allclose(adapted.mean, mean, rtol=1e-6)
    expected = frames.std(1) if count >= OWN_DEVIATION else general.within
    np.testing.assert_allclose(adapted.std, expected, rtol=1e-5)


def test_a_voice_that_nothing_is_known_of_is_normalised_as_everybody() -> None:
    general = statistics()
    assert general.adapted(None) is general.general


def test_it_is_read_back_as_it_was_written() -> None:
    general = statistics()
    again = SpeakerNormalizer.from_dict(general.to_dict())
    for name in ("mean", "std"):
        np.testing.assert_array_equal(getattr(again.general, name), getattr(general.general, name))
    np.testing.assert_array_equal(again.within, general.within)
    with pytest.raises(ValueError, match="above 0"):
        SpeakerNormalizer.from_dict({**general.to_dict(), "within": [0.0] * ROWS})
    with pytest.raises(KeyError):
        SpeakerNormalizer.from_dict(general.general.to_dict())
