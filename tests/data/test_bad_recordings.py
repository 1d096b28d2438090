"""Recordings that cannot be used: reported together, or left out before folds are made."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from nni_emodarts.trials import arguments, pipeline

from nni_emodarts.config import load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.errors import ExperimentError, ProtocolError
from nni_emodarts.nni_bridge.pooling import pool_trials
from nni_emodarts.runtime.run_folder import RunFolder

Run = Callable[..., tuple[int, str]]

BAD: dict[str, Callable[[Path], object]] = {
    "holds 0 samples": lambda file: soundfile.write(file, np.zeros(0), 16000, format="WAV"),
    "is silent": lambda file: soundfile.write(file, np.zeros(16000), 16000, format="WAV"),
    "sample of nan": lambda file: soundfile.write(file, np.full(16000, np.nan), 16000, subtype="FLOAT", format="WAV"),
    "lasts 0.05 s": lambda file: soundfile.write(file, np.linspace(-0.1, 0.1, 800), 16000, format="WAV"),
    "cannot be decoded": lambda file: file.write_bytes(b"RIFF, but not really"),
    "sampling rate of 3 Hz": lambda file: soundfile.write(file, np.linspace(-0.1, 0.1, 800), 3, format="WAV"),
}
"""Reason -> what writes such a file."""


@pytest.fixture
def spoilt(small_manifest: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The small corpus with a recording of each kind of `BAD`; and the reasons by file."""
    folder = tmp_path / "spoilt"
    shutil.copytree(small_manifest.parent, folder)
    files = pd.read_csv(folder / "manifest.csv")["file"].tolist()
    reasons = dict(zip(files[1::9], BAD, strict=True))
    for file, reason in reasons.items():
        (folder / file).unlink()
        BAD[reason](folder / file)
    return folder / "manifest.csv", reasons


def corpus_of(manifest: Path, protocol: str = "loso") -> Corpus:
    options = {"data.manifest": str(manifest), "data.protocol": protocol, "data.bad_audio": "skip"}
    config = load_config("tiny", options=options)
    return load_corpus(config)


def spoil(manifest: Path, column: str, label: str, keep: int = 0) -> None:
    """Silence every recording of a label but the first ones."""
    table = pd.read_csv(manifest, dtype=str)
    for file in table.loc[table[column] == label, "file"].tolist()[keep:]:
        soundfile.write(manifest.parent / file, np.zeros(16000), 16000)


def test_all_are_refused_together_and_nothing_is_left(
    spoilt: tuple[Path, dict[str, str]], tmp_path: Path, emodarts: Run
) -> None:
    manifest, reasons = spoilt
    code, said = emodarts("search", "--manifest", manifest, "--preset", "tiny", "--out", tmp_path / "out")
    assert code == 2
    assert "6 of 48 recordings cannot be used; mend them, or go on without them by --bad-audio skip" in said
    for file, reason in reasons.items():
        assert reason in said.split(file)[1].splitlines()[0]
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_there_outlives_a_refusal(
    spoilt: tuple[Path, dict[str, str]], tmp_path: Path, emodarts: Run
) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    words = ["search", "--manifest", spoilt[0], "--preset", "tiny", "--out", tmp_path, "--overwrite"]
    assert emodarts(*words)[0] == 2
    assert (tmp_path / "metrics.json").exists()


def test_skipping_is_leaving_the_lines_out(spoilt: tuple[Path, dict[str, str]]) -> None:
    manifest, reasons = spoilt
    corpus = corpus_of(manifest)
    again = corpus_of(manifest)  # warm store
    lines = pd.read_csv(manifest, dtype=str, keep_default_na=False)
    lines[~lines["file"].isin(reasons)].to_csv(manifest.with_name("without.csv"), index=False)
    without = corpus_of(manifest.with_name("without.csv"))
    assert without.skipped.empty
    assert corpus.skipped["file"].tolist() == list(reasons)
    for known, reason in zip(reasons.values(), corpus.skipped["reason"], strict=True):
        assert known in reason
        assert str(manifest.parent) not in reason
    for other in (again, without):
        pd.testing.assert_frame_equal(corpus.manifest.table, other.manifest.table)
        assert corpus.store.digests == other.store.digests
        for part in ("train", "validation", "test"):
            np.testing.assert_array_equal(getattr(corpus.fold(3), part), getattr(other.fold(3), part))
    for row in range(len(corpus.manifest)):
        np.testing.assert_array_equal(corpus.store[row], without.store[row])
    assert corpus.manifest.digest == again.manifest.digest != without.manifest.digest


def test_search_and_retrain_go_on_without_them(
    spoilt: tuple[Path, dict[str, str]], tmp_path: Path, fast_words: list[str], emodarts: Run
) -> None:
    manifest, reasons = spoilt
    words = ["--manifest", manifest, "--bad-audio", "skip"]
    code, said = emodarts("search", *words, "--preset", "tiny", "--out", tmp_path / "search", *fast_words)
    assert code == 0, said
    assert "skipped 6 recordings" in said
    # retrain takes data.bad_audio from the search's configuration
    retrain = ["retrain", "--manifest", manifest, "--architecture", tmp_path / "search" / "architecture.json",
               "--folds", 0, "--out", tmp_path / "retrain"]  # fmt: skip
    code, said = emodarts(*retrain)
    assert code == 0, said
    for folder in ("search", "retrain", "retrain/fold_00/seed_1"):
        assert pd.read_csv(tmp_path / folder / "skipped.csv")["file"].tolist() == list(reasons)
    scored = pd.read_csv(tmp_path / "retrain" / "predictions.csv")["file"]
    assert not set(scored) & set(reasons)
    mended = manifest.parent / next(iter(reasons))
    soundfile.write(mended, np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    code, said = emodarts(*retrain, "--resume")
    assert code == 2
    assert "mended or skipped since" in said


def test_a_trial_and_its_experiment(
    spoilt: tuple[Path, dict[str, str]], tmp_path: Path, fast_words: list[str], emodarts: Run
) -> None:
    manifest, reasons = spoilt
    lost = pd.read_csv(manifest, dtype=str)["speaker"].unique()[-1]
    spoil(manifest, "speaker", lost)
    experiment = ["experiment", "--manifest", manifest, "--preset", "tiny", *fast_words, "--out", tmp_path / "my.yml"]
    assert emodarts(*experiment, "--bad-audio", "skip")[0] == 0
    data = yaml.safe_load((tmp_path / "my.yml").read_text())
    assert "--bad-audio skip" in data["trialCommand"]
    assert data["maxTrialNumber"] == 5, "a speaker without a usable recording is no fold"
    out = tmp_path / "trial"
    words = data["trialCommand"].split()
    arguments.run("", pipeline.work, [*words[words.index("--manifest") :], "--fold", "4", "--out", str(out)])
    skipped = pd.read_csv(out / "skipped.csv")
    assert set(reasons) < set(skipped["file"])
    pd.testing.assert_frame_equal(skipped, pd.read_csv(out / "search" / "skipped.csv"))
    other = RunFolder.claim(tmp_path / "other")
    for name in ("metrics.json", "predictions.csv"):
        other.write_bytes(name, (out / name).read_bytes().replace(b'"fold": 4', b'"fold": 3'))
    with pytest.raises(ExperimentError, match="not all trials skipped"):
        pool_trials([out, other.path])


def test_what_is_left_must_still_do(small_manifest: Path, tmp_path: Path, emodarts: Run) -> None:
    def copy(name: str) -> Path:
        shutil.copytree(small_manifest.parent, tmp_path / name)
        return tmp_path / name / "manifest.csv"

    table = pd.read_csv(small_manifest, dtype=str)
    classless, lonely, nothing = copy("classless"), copy("lonely"), copy("nothing")
    spoil(classless, "emotion", "anger")
    with pytest.raises(ProtocolError, match="no training utterance of class anger"):
        corpus_of(classless).fold(0)
    for speaker in table["speaker"].unique()[1:]:
        spoil(lonely, "speaker", speaker)
    with pytest.raises(ProtocolError, match=r"needs at least 4 speakers .*; the manifest has 1;"):
        corpus_of(lonely).fold(0)
    for speaker in table["speaker"].unique():
        spoil(nothing, "speaker", speaker)
    for manifest, says in ((classless, "class anger"), (lonely, "4 speakers"), (nothing, "48 of 48")):
        out = tmp_path / "out"
        code, said = emodarts("search", "--manifest", manifest, "--preset", "tiny", "--bad-audio", "skip", "--out", out)
        assert code == 2
        assert says in said
        assert not out.exists()


def test_a_word_that_is_neither(small_manifest: Path, tmp_path: Path, emodarts: Run) -> None:
    code, said = emodarts("search", "--manifest", small_manifest, "--bad-audio", "skp", "--out", tmp_path / "out")
    assert code == 2
    assert "data.bad_audio" in said
    assert "'refuse' or 'skip'" in said
