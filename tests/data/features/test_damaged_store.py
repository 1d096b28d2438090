"""Maps that are damaged on disk, or lie under another's name, are found, computed again, and reported."""

import logging

import numpy as np
import pytest

from nni_emodarts.data.features import build_store, fill_store
from nni_emodarts.data.features.store import HEADER_BYTES, SEAL_BYTES
from nni_emodarts.errors import AudioError, BadRecordings


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def built(cache, recordings, manifest_of, counting):
    """Four recordings' maps as they should be, their files in the store, and how to open the store again."""
    files, extractor = recordings(4), counting()
    store = build_store(manifest_of(files), extractor, cache, workers=1)
    maps = [np.array(store[row]) for row in range(4)]
    paths = [store.path(row) for row in range(4)]
    return files, maps, paths, lambda: build_store(manifest_of(files), extractor, cache, workers=1)


def flip(path, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(data))


def assert_mended(store, maps, row, caplog):
    np.testing.assert_array_equal(store[row], maps[row])
    assert any("damaged" in record.getMessage() for record in caplog.records)
    caplog.clear()


def test_a_flipped_bit_is_mended_wherever_it_is(built, caplog):
    _, maps, paths, opened = built
    size = 8 * paths[1].stat().st_size
    seal = size - 8 * SEAL_BYTES
    generator = np.random.default_rng(0)
    bits = [*generator.integers(size, size=20), *generator.integers(8 * HEADER_BYTES, size=10),
            *generator.integers(seal, size, size=10)]  # fmt: skip
    for bit in map(int, bits):
        flip(paths[1], bit)
        assert_mended(opened(), maps, 1, caplog)


def test_it_is_found_by_whoever_opened_the_store_before(built, caplog):
    _, maps, paths, opened = built
    store = opened()
    picked = store.pick(np.array([3, 1]))
    flip(paths[1], 8 * HEADER_BYTES + 77)
    assert_mended(picked, [maps[3], maps[1]], 1, caplog)
    flip(paths[2], 8 * HEADER_BYTES + 77)
    assert_mended(store, maps, 2, caplog)
    paths[0].write_bytes(paths[0].read_bytes()[:200])
    assert_mended(store, maps, 0, caplog)
    paths[0].unlink()
    assert_mended(store, maps, 0, caplog)


@pytest.mark.parametrize("rows", [(0, 1), (2, 3)])
def test_swapped_maps_are_found(built, rows, caplog):
    _, maps, paths, opened = built
    first, second = (paths[row].read_bytes() for row in rows)
    paths[rows[0]].write_bytes(second)
    paths[rows[1]].write_bytes(first)
    store = opened()
    for row in rows:
        np.testing.assert_array_equal(store[row], maps[row])
    assert "2 of the features" in caplog.text


def test_maps_of_one_length_that_are_swapped_are_found(cache, recordings, manifest_of, counting, caplog):
    """Bodies alone, behind headers and in front of keys that fit."""
    file, extractor = recordings(1)[0], counting()
    manifest = manifest_of([file, file], [(0.0, 0.1), (0.1, 0.2)])
    store = build_store(manifest, extractor, cache, workers=1)
    maps, paths = [np.array(store[row]) for row in (0, 1)], [store.path(row) for row in (0, 1)]
    data = [path.read_bytes() for path in paths]
    for path, own, other in zip(paths, data, data[::-1], strict=True):
        path.write_bytes(own[:HEADER_BYTES] + other[HEADER_BYTES:-SEAL_BYTES] + own[-SEAL_BYTES:])
    again = build_store(manifest, extractor, cache, workers=1)
    for row in (0, 1):
        assert_mended(again, maps, row, caplog)


def test_maps_of_earlier_versions_are_taken_as_they_are(built, caplog):
    _, maps, paths, opened = built
    for path in paths:
        path.write_bytes(path.read_bytes()[:-SEAL_BYTES])
    before = {path: path.stat().st_mtime_ns for path in paths}
    store = opened()
    for row, expected in enumerate(maps):
        np.testing.assert_array_equal(store[row], expected)
    assert {path: path.stat().st_mtime_ns for path in paths} == before
    assert not caplog.records


def test_a_stored_map_is_an_array_of_numpy(built):
    _, maps, paths, _ = built
    np.testing.assert_array_equal(np.load(paths[2]), maps[2])
    np.testing.assert_array_equal(np.load(paths[2], mmap_mode="r"), maps[2])


def test_a_damaged_map_without_its_recording_is_reported(built, caplog):
    files, maps, paths, opened = built
    store = opened()
    flip(paths[1], 8 * HEADER_BYTES + 5)
    files[1].write_bytes(files[0].read_bytes())
    with pytest.raises(AudioError, match=r"1\.wav: changed after it was hashed"):
        store[1]
    files[1].unlink()
    with pytest.raises(AudioError, match=r"1\.wav"):
        store[1]
    np.testing.assert_array_equal(store[2], maps[2])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_no_numbers_are_never_stored(cache, recordings, manifest_of, counting, value):
    class Odd(counting):
        def __call__(self, waveform):
            features = super().__call__(waveform)
            if self.calls == 2:
                features[3, 1] = value
            return features

    files = recordings(3)
    _, reasons = fill_store(manifest_of(files), Odd(), cache, workers=1)
    assert list(reasons) == [1]
    assert "1.wav: its features are no numbers" in reasons[1]
    assert len(list(cache.glob("*/*/*.npy"))) == 2


def test_features_that_are_no_numbers_are_never_read(cache, recordings, manifest_of, log_mel, counting, caplog):
    """An earlier version stored them."""

    class Odd(counting):
        def __call__(self, waveform):
            return np.full_like(super().__call__(waveform), np.nan)

    files = recordings(1)
    store = build_store(manifest_of(files), counting(), cache, workers=1)
    path, shape = store.path(0), store[0].shape
    path.write_bytes(path.read_bytes()[:HEADER_BYTES] + np.full(shape, np.nan, "<f4").tobytes())
    with caplog.at_level(logging.WARNING), pytest.raises(AudioError, match=r"0\.wav: its features are no numbers"):
        build_store(manifest_of(files), Odd(), cache, workers=1)[0]
    assert np.isfinite(build_store(manifest_of(files), counting(), cache, workers=1)[0]).all()
    with pytest.raises(BadRecordings):
        build_store(manifest_of(files), Odd(hop_ms=5.0), cache, workers=1)
