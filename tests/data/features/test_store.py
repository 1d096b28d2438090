import hashlib
import json
import mmap
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from process_groups import group_lives, wait_until

from nni_emodarts.data.features import FeatureExtractor, build_store, building, fill_store, read_audio, stock
from nni_emodarts.data.features.store import digest_file, digest_text
from nni_emodarts.errors import AudioError, BadRecordings, ConfigError
from nni_emodarts.runtime.cache import default_cache

BUILDER = """
import sys, time
import numpy as np, pandas as pd
from nni_emodarts.data.features import FeatureExtractor, build_store
from nni_emodarts.data.features import building, stock
from nni_emodarts.data.manifest import Manifest

class Slow(FeatureExtractor):
    def __call__(self, waveform):
        time.sleep(0.03)
        return super().__call__(waveform)

if __name__ == "__main__":
    root, workers, *files = sys.argv[1:]
    stock.CHUNK = 4
    building.POOL_PAYS_SECONDS = 0.0
    table = pd.DataFrame({"file": files, "start": np.nan, "end": np.nan})
    extractor = Slow("log_mel", 16000, 32.0, 10.0, 64)
    build_store(Manifest(table, ("anger",), ""), extractor, root, int(workers))
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def start_builder(tmp_path, cache):
    """Starts a process that builds a store slowly; ends it with the test."""
    script = tmp_path / "builder.py"
    script.write_text(BUILDER)
    started = []

    def start(files, workers=1):
        command = [sys.executable, "-W", "error", str(script), str(cache), str(workers), *map(str, files)]
        started.append(subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def stored(cache: Path) -> list[Path]:
    return sorted(cache.glob("*/*/*.npy"))


def assert_holds(store, files, extractor):
    assert len(store) == len(files)
    for row, file in enumerate(files):
        expected = extractor(read_audio(file, 16000))
        np.testing.assert_allclose(store[row], expected, atol=1e-4)  # threads may round differently
        assert store.lengths[row] == expected.shape[1]


def test_maps_lengths_and_digests_by_row(cache, recordings, manifest_of, log_mel):
    files = recordings(5)
    extractor = FeatureExtractor(**log_mel, contours=("energy",))
    store = build_store(manifest_of(files), extractor, cache, workers=1)
    assert_holds(store, files, extractor)
    assert store.lengths.dtype == np.int64
    assert store.digests == [hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest() for file in files]
    assert isinstance(store[2].base.base.obj, mmap.mmap)  # its pages are loaded when touched
    assert not store[2].flags.writeable
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store))[3], store[3])  # as a loader's workers get it
    with pytest.raises(IndexError):
        store[5]


def test_second_build_computes_nothing(cache, recordings, manifest_of, counting):
    files, extractor = recordings(4), counting()
    first = build_store(manifest_of(files), extractor, cache, workers=1)
    assert extractor.calls == 4
    before = {file: file.stat().st_mtime_ns for file in stored(cache)}
    second = build_store(manifest_of(files[::-1]), extractor, cache)
    assert extractor.calls == 4
    assert {file: file.stat().st_mtime_ns for file in stored(cache)} == before
    np.testing.assert_array_equal(second[0], first[3])


def test_found_by_content_and_settings(cache, recordings, manifest_of, counting, tmp_path):
    files, extractor = recordings(2), counting()
    build_store(manifest_of(files), extractor, cache, workers=1)
    moved = files[0].rename(tmp_path / "elsewhere.wav")
    build_store(manifest_of([moved, files[1]]), extractor, cache, workers=1)
    assert extractor.calls == 2  # a moved file is the same recording
    soundfile.write(files[1], np.random.default_rng(0).normal(0, 0.1, 4000), 16000)
    build_store(manifest_of([moved, files[1]]), extractor, cache, workers=1)
    assert extractor.calls == 3  # another content under the old name is another recording
    other = counting(hop_ms=20.0)
    build_store(manifest_of([moved]), other, cache, workers=1)
    assert other.calls == 1
    settings = [json.loads(file.read_text()) for file in cache.glob("*/settings.json")]
    assert sorted(entry["hop"] for entry in settings) == [160, 320]


def test_segments_of_one_file(cache, recordings, manifest_of, counting):
    file, extractor = recordings(1)[0], counting()
    manifest = manifest_of([file] * 4, [(np.nan, np.nan), (0.0, 0.1), (0.05, np.nan), (0.0, 0.1)])
    store = build_store(manifest, extractor, cache, workers=1)
    assert extractor.calls == 3  # two rows are the same segment
    assert len(set(store.digests)) == 1
    np.testing.assert_array_equal(store.lengths, [21, 11, 16, 11])
    # Threads may add up in another order.
    np.testing.assert_allclose(store[1], extractor(read_audio(file, 16000, 0.0, 0.1)), rtol=1e-5)


def test_other_processes_give_the_same_bits(cache, recordings, manifest_of, log_mel, tmp_path, monkeypatch):
    files, extractor = recordings(12), FeatureExtractor(**log_mel)
    alone = build_store(manifest_of(files), extractor, cache, workers=1)
    monkeypatch.setattr(stock, "CHUNK", 2)
    monkeypatch.setattr(building, "POOL_PAYS_SECONDS", 0.0)
    steps = []
    together = build_store(manifest_of(files), extractor, tmp_path / "other", 2, lambda *step: steps.append(step))
    for row in range(12):
        np.testing.assert_array_equal(together[row], alone[row])
    assert steps[0] == ("hashing", 12, 12)
    assert steps[1:] == [("features", done, 12) for done in range(2, 13, 2)]


def test_two_builders_at_once(cache, recordings, manifest_of, counting, log_mel, start_builder):
    files = recordings(30)
    builders = [start_builder(files), start_builder(files)]
    for builder in builders:
        _, errors = builder.communicate(timeout=60)
        assert builder.returncode == 0, errors
    assert len(stored(cache)) == 30
    assert not list(cache.glob("**/*.tmp"))
    extractor = counting()
    assert_holds(build_store(manifest_of(files), extractor, cache), files, FeatureExtractor(**log_mel))
    assert extractor.calls == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_builder_leaves_nothing_wrong(cache, recordings, manifest_of, counting, log_mel, start_builder, workers):
    files = recordings(60)
    builder = start_builder(files, workers)
    wait_until(lambda: len(stored(cache)) > 8 * workers)
    os.kill(builder.pid, signal.SIGKILL)
    builder.wait()
    wait_until(lambda: not group_lives(builder.pid))  # its workers leave with it
    kept = len(stored(cache))
    assert kept < 60
    extractor = counting()
    store = build_store(manifest_of(files), extractor, cache, workers=1)
    assert extractor.calls == 60 - kept
    assert_holds(store, files, FeatureExtractor(**log_mel))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-4],
        lambda data: data[:60],
        lambda data: b"",
        lambda data: bytes(len(data)),
        lambda data: data[:-256],  # a whole number of frames less
        lambda data: data + b"more",
    ],
    ids=["short", "header cut", "empty", "zeros", "frames cut", "long"],
)
def test_damaged_map_is_computed_again(cache, recordings, manifest_of, counting, damage):
    files, extractor = recordings(3), counting()
    store = build_store(manifest_of(files), extractor, cache, workers=1)
    expected = np.array(store[1])
    victim = store.path(1)
    del store
    victim.write_bytes(damage(victim.read_bytes()))
    again = build_store(manifest_of(files), extractor, cache, workers=1)
    assert extractor.calls == 4
    np.testing.assert_array_equal(again[1], expected)


def test_writer_that_fails_leaves_no_file(cache, recordings, manifest_of, counting):
    class Wrong(counting):
        def __call__(self, waveform):
            return super().__call__(waveform)[:-1]

    with pytest.raises(ValueError, match="63 rows"):
        build_store(manifest_of(recordings(1)), Wrong(), cache, workers=1)
    assert not list(cache.glob("*/??/*"))


def test_leftovers_are_removed_once_old(cache, recordings, manifest_of, counting):
    files, extractor = recordings(2), counting()
    build_store(manifest_of(files[:1]), extractor, cache, workers=1)
    folder = stored(cache)[0].parent
    old, young = folder / "old.npy.tmp", folder / "young.npy.tmp"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    build_store(manifest_of(files), extractor, cache, workers=1)
    assert not old.exists()
    assert young.exists()  # its writer may be at work


def test_a_recording_that_changes_after_it_was_hashed_is_no_map_of_its_former_content(
    cache, recordings, manifest_of, log_mel, monkeypatch
):
    (file, other), hashed = recordings(2), stock.digest_file

    def replaced(path):
        found = hashed(path)
        file.write_bytes(other.read_bytes())
        return found

    extractor = FeatureExtractor(**log_mel)
    monkeypatch.setattr(stock, "digest_file", replaced)
    with pytest.raises(BadRecordings, match="changed after it was hashed"):
        build_store(manifest_of([file]), extractor, cache, 1)
    monkeypatch.undo()
    assert stored(cache) == []
    assert_holds(build_store(manifest_of([file]), extractor, cache, 1), [other], extractor)


def test_a_map_of_what_was_read_without_mending_is_not_taken(cache, recordings, manifest_of, log_mel, monkeypatch):
    """Keys of sound files stay; of a file that libsndfile alone reads in part, the map of that part may be there."""
    (one, two), extractor = recordings(2), FeatureExtractor(**log_mel)
    joined = one.with_name("joined.wav")
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    store = build_store(manifest_of([one, joined]), extractor, cache, 1)
    digests = [digest_file(one), digest_file(joined)]
    assert store.digests == digests
    keys = [digest_text(f"{digest} None None") for digest in digests]
    assert store.shelf.path(keys[0]).exists()
    assert not store.shelf.path(keys[1]).exists()
    whole = np.concatenate([read_audio(one, 16000), read_audio(two, 16000)])
    np.testing.assert_array_equal(store[1], extractor(whole))
    store.shelf.write(keys[1], store[0])
    np.testing.assert_array_equal(build_store(manifest_of([joined]), extractor, cache, 1)[0], extractor(whole))


def test_a_file_that_grows_while_it_is_hashed(recordings, monkeypatch):
    (file,), blake2b = recordings(1), hashlib.blake2b
    expected = digest_file(file)

    class Growing:
        """Each byte that is hashed makes the file longer."""

        def __init__(self, **options):
            self.hash = blake2b(**options)
            self.hexdigest = self.hash.hexdigest

        def update(self, data):
            self.hash.update(data)
            with file.open("ab") as end:
                end.write(data)

    monkeypatch.setattr(hashlib, "blake2b", Growing)
    assert digest_file(file) == expected


def test_all_bad_recordings_are_reported_after_the_good_are_stored(cache, recordings, manifest_of, counting, tmp_path):
    files, extractor = recordings(3), counting()
    bad = [tmp_path / f"bad_{number}.wav" for number in range(25)]
    for file in bad[:-1]:
        file.write_bytes(b"no audio")  # equal contents: each must be named nevertheless
    with pytest.raises(BadRecordings) as caught:
        build_store(manifest_of([*bad, *files]), extractor, cache, workers=1)
    lines = str(caught.value).splitlines()
    assert lines[0] == "25 of 28 recordings cannot be used:"
    assert [line.strip().partition(":")[0] for line in lines[1:-1]] == [str(file) for file in bad[:20]]
    assert "is a text ('no audio')" in lines[1]
    assert lines[-1] == "  and 5 more"
    assert list(caught.value.reasons) == list(range(25))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # as a pool of processes hands it on
    assert len(stored(cache)) == 3
    with pytest.raises(AudioError, match=r"bad_24\.wav: no such file"):
        build_store(manifest_of([bad[-1]]), extractor, cache, workers=1)


def test_a_store_without_its_bad_recordings(cache, recordings, manifest_of, counting, tmp_path):
    files, extractor, bad = recordings(3), counting(), tmp_path / "silent.wav"
    soundfile.write(bad, np.zeros(16000), 16000)
    store, reasons = fill_store(manifest_of([files[0], bad, *files[1:]]), extractor, cache, workers=1)
    assert list(reasons) == [1]
    assert reasons[1].startswith(f"{bad}: is silent")
    assert_holds(store.pick(np.array([0, 2, 3])), files, extractor)
    assert fill_store(manifest_of([bad, *files]), extractor, cache, workers=1)[1] == {0: reasons[1]}  # warm as cold


def test_folder_that_cannot_be_written_is_named(tmp_path, recordings, manifest_of, counting):
    taken = tmp_path / "taken"
    taken.write_text("a file, not a folder")
    with pytest.raises(ConfigError, match=r"data\.cache: .*taken.* set data\.cache or \$EMODARTS_CACHE"):
        build_store(manifest_of(recordings(1)), counting(), taken, workers=1)


def test_default_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EMODARTS_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_cache() == tmp_path
    monkeypatch.delenv("EMODARTS_CACHE")
    assert default_cache() == Path("/xdg/nni_emodarts")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert default_cache() == Path.home() / ".cache" / "nni_emodarts"
