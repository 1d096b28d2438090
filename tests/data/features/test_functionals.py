"""openSMILE functionals; those tests that compute them need the extra."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from nni_emodarts.data.features import Functionals, fill_store, functionals, read_audio
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.errors import ConfigError


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise functionals.PackageNotFoundError(name)

    monkeypatch.setattr(functionals, "version", absent)
    with pytest.raises(ConfigError, match=r"pip install 'nni_emodarts\[opensmile\]'"):
        Functionals("eGeMAPSv02")


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean eGeMAPSv02"):
        Functionals("eGeMAPSv01")


def test_what_openSMILE_cannot_say_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    class Smile:
        def process_signal(self, waveform: np.ndarray, rate: int) -> np.ndarray:
            return np.array([[np.nan, np.inf, -np.inf, *range(85)]])

    monkeypatch.setattr(functionals, "version", lambda name: "0")
    monkeypatch.setattr(functionals, "_load", lambda name: Smile())
    found = Functionals("eGeMAPSv02")(np.zeros(1600))
    assert found.shape == (88, 1)
    assert found[:5, 0].tolist() == [0, 0, 0, 0, 1]


@pytest.fixture(scope="module")
def few(small_manifest: Path) -> Manifest:
    return read_manifest(small_manifest).pick(np.arange(3))


@pytest.mark.parametrize("feature_set", functionals.FUNCTIONAL_SETS)
def test_the_store_keeps_what_openSMILE_finds_in_the_file(few: Manifest, feature_set: str, tmp_path: Path) -> None:
    opensmile = pytest.importorskip("opensmile")
    extractor = pickle.loads(pickle.dumps(Functionals(feature_set)))
    store, reasons = fill_store(few, extractor, tmp_path, workers=1)
    assert not reasons
    smile = opensmile.Smile(opensmile.FeatureSet[feature_set])
    assert store[1].shape == (smile.num_features, 1)
    for row, file in enumerate(few.table["file"]):
        expected = smile.process_signal(read_audio(file, 16_000), 16_000).to_numpy()[0]
        np.testing.assert_array_equal(store[row][:, 0], expected)
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")}
    fill_store(few, Functionals(feature_set), tmp_path, workers=1)
    assert len(stamps) == 3
    assert stamps == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")}, "extracted once"
    pickle.dumps(extractor)  # with openSMILE at work it is sent all the same
