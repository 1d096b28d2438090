import json

import numpy as np
import pytest

from nni_emodarts.data.features import Normalizer, build_store


def test_equals_numpy_on_the_given_rows_alone(tmp_path, recordings, manifest_of, counting):
    store = build_store(manifest_of(recordings(6)), counting(), tmp_path / "cache", workers=1)
    rows = [4, 0, 3]
    normalizer = Normalizer.fit(store, rows)
    together = np.concatenate([store[row] for row in rows], axis=1).astype(np.float64)
    np.testing.assert_allclose(normalizer.mean, together.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(normalizer.std, together.std(axis=1), rtol=1e-12)
    normalised = np.concatenate([normalizer(store[row]) for row in rows], axis=1)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=1), 1, atol=1e-5)


def test_large_offset_does_not_swallow_the_deviation():
    maps = [1e6 + np.random.default_rng(seed).standard_normal((1, 500)) for seed in range(40)]
    expected = np.concatenate(maps, axis=1).std()
    assert Normalizer.fit(maps, range(40)).std[0] == pytest.approx(expected, rel=1e-9)


def test_constant_row_stays_finite():
    maps = [np.full((2, 7), 0.1, np.float32), np.full((2, 3), 0.1, np.float32)]
    maps[1][1] += 1
    normalizer = Normalizer.fit(maps, [0, 1])
    assert normalizer.std[0] == 1.0
    np.testing.assert_allclose(normalizer(maps[0])[0], 0, atol=1e-7)
    assert normalizer.std[1] == pytest.approx(np.sqrt(0.21))  # 7 frames at 0.1 and 3 at 1.1


def test_round_trips_exactly_through_json():
    maps = [np.random.default_rng(3).standard_normal((5, 11)).astype(np.float32)]
    normalizer = Normalizer.fit(maps, [0])
    again = Normalizer.from_dict(json.loads(json.dumps(normalizer.to_dict())))
    np.testing.assert_array_equal(again.mean, normalizer.mean)
    np.testing.assert_array_equal(again.std, normalizer.std)
    np.testing.assert_array_equal(again(maps[0]), normalizer(maps[0]))


@pytest.mark.parametrize(
    "data",
    [{"mean": [0.0, 1.0], "std": [1.0]}, {"mean": [0.0], "std": [0.0]}, {"mean": [float("nan")], "std": [1.0]}],
)
def test_impossible_statistics_are_refused(data):
    with pytest.raises(ValueError, match="must be"):
        Normalizer.from_dict(data)


def test_no_utterance_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Normalizer.fit([], [])
