"""Several manifests as one corpus."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_emodarts.config import DataConfig, ExperimentConfig, load_config
from nni_emodarts.data.batches.batches import BalancedBatches
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.joined import corpora_of, join_manifests
from nni_emodarts.data.picking import Choice
from nni_emodarts.data.protocols import make_fold, make_folds
from nni_emodarts.errors import ManifestError, ProtocolError


def write(folder: Path, emotions: Sequence[str], speakers: int = 8, name: str = "manifest.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,emotion,speaker,session,gender"]
    for speaker in range(speakers):
        for emotion in emotions:
            (folder / f"{speaker:02d}_{emotion}.wav").touch()
            gender = "mf"[speaker % 2]
            lines.append(f"{speaker:02d}_{emotion}.wav,{emotion},{speaker:02d},{speaker // 2},{gender}")
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [
        write(tmp_path / "b", ["anger", "joy", "fear"], 12),
        write(tmp_path / "a", ["anger", "joy", "calm"], 6),
        write(tmp_path / "c", ["anger", "joy", "happy"], 6),
    ]


def test_speakers_and_sessions_of_one_name_are_told_apart(paths: list[Path]) -> None:
    manifest = join_manifests(paths, "intersection")
    assert len(set(manifest.table["speaker"])) == 24
    assert set(manifest.table["speaker"][:2]) == {"a/00"}
    assert len(set(manifest.table["session"])) == 12
    for fold in make_folds(manifest, "session"):
        assert len({name[0] for name in manifest.table["speaker"].iloc[[*fold.test, *fold.validation]]}) == 1
    assert manifest.names[0] == "a/00_anger.wav"


def test_classes_are_those_of_all_or_of_any(paths: list[Path]) -> None:
    found = join_manifests(paths, "intersection")
    assert found.classes == ("anger", "joy")
    assert any("left out: " in note and "fear (12)" in note and "calm (6)" in note for note in found.notes)
    assert join_manifests(paths, "union").classes == ("anger", "calm", "fear", "happy", "joy")
    merged = join_manifests(paths, "intersection", Choice(merge={"happy": "joy"}))
    assert merged.classes == ("anger", "joy")
    assert (merged.table["emotion"] == "joy").sum() == 12 + 6 + 12
    assert join_manifests(paths, "union", Choice(["joy", "fear"])).classes == ("joy", "fear")
    with pytest.raises(ManifestError, match=r"no utterance is 'fear'.*\n.*not all of them have were left out: .*fear"):
        join_manifests(paths, "intersection", Choice(["joy", "fear"]))


def test_the_order_of_the_manifests_makes_no_other_corpus(paths: list[Path]) -> None:
    one, other = join_manifests(paths, "union"), join_manifests(paths[::-1], "union")
    assert one.digest == other.digest
    assert one.table.equals(other.table)
    assert one.digest != join_manifests(paths[:2], "union").digest


def test_a_recording_of_two_corpora_is_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a", ["anger", "joy"], 4)
    second = write(tmp_path / "a", ["anger", "joy"], 4, "again.csv")
    with pytest.raises(ManifestError, match="list 8 recordings in common"):
        join_manifests([first, second], "union")


@pytest.mark.parametrize(("own", "common"), [("joy", "no emotion"), ("fear", "only the emotion 'fear'")])
def test_corpora_with_too_few_common_emotions_say_which_they_have(tmp_path: Path, own: str, common: str) -> None:
    paths = [write(tmp_path / "a", ["anger", "fear"]), write(tmp_path / "b", ["calm", own])]
    says = rf"corpora have {common} in common \(a: anger, fear; b: calm, {own}\).*data\.merge.*data\.classes=union"
    with pytest.raises(ManifestError, match=says):
        join_manifests(paths, "intersection")
    with pytest.raises(ManifestError, match=rf"{common} in common(.|\n)*merge: no utterance is 'clam'"):
        join_manifests(paths, "intersection", Choice(merge={"clam": "anger"}))
    assert len(join_manifests(paths, "union").classes) >= 3
    merged = {"calm": "anger", "joy": "fear"} if own == "joy" else {"calm": "anger"}
    assert join_manifests(paths, "intersection", Choice(merge=merged)).classes == ("anger", "fear")


def test_copies_of_a_corpus_s_recordings_are_no_other_corpus(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, ["anger", "joy"], 4) for name in "abc"]
    for path in paths:
        for number, file in enumerate(sorted(path.parent.glob("*.wav"))):
            seed = [number, 0 if number < 5 and path.parent.name != "b" else ord(path.parent.name)]
            soundfile.write(file, np.random.default_rng(seed).normal(0, 0.1, 8000), 16_000)
    options = {"data.cache": str(tmp_path / "cache"), "data.workers": 1, "data.speaker_overlap": "allow"}
    load_corpus(load_config("tiny", options={**options, "data.manifest": f"{paths[0]},{paths[1]}"}))
    (paths[2].parent / "00_joy.wav").rename(paths[2].parent / "other.wav")
    paths[2].write_text(paths[2].read_text().replace("00_joy.wav", "other.wav"))
    config = load_config("tiny", options={**options, "data.manifest": ",".join(map(str, paths))})
    with pytest.raises(ManifestError, match=r"a and c hold 5 of the same.*a/00_joy.wav = c/other.wav.*remove their"):
        load_corpus(config)


def test_one_corpus_is_left_out_by_loco(paths: list[Path]) -> None:
    manifest = join_manifests(paths, "intersection")
    corpora = corpora_of(manifest)
    folds = make_folds(manifest, "loco")
    assert len(folds) == 3
    for fold in folds:
        assert set(np.flatnonzero(corpora == fold.index)) == set(fold.test)
        speakers = manifest.table["speaker"]
        for name in {"a", "b", "c"} - {"abc"[fold.index]}:
            validating = {each for each in speakers.iloc[fold.validation] if each.startswith(name)}
            genders = set(
                manifest.table["gender"].iloc[fold.validation][speakers.iloc[fold.validation].isin(validating)]
            )
            assert len(validating) == 2
            assert genders == {"male", "female"}
        assert not set(speakers.iloc[fold.train]) & set(speakers.iloc[fold.validation])
    with pytest.raises(ProtocolError, match=r"leaves one corpus out.*--manifest A.csv,B.csv"):
        make_fold(load_manifest(ExperimentConfig(data=DataConfig(manifest=str(paths[0])))), "loco", 0)


def test_a_configuration_names_several_manifests(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths[0].parents[1])
    config = load_config("tiny", options={"data.manifest": "a/manifest.csv, b/manifest.csv", "data.protocol": "loco"})
    assert config.data.manifests == (str(paths[1]), str(paths[0]))
    assert load_manifest(config).classes == ("anger", "joy")
    odd = write(paths[0].parent, ["anger", "joy"], name="x,y.csv")
    assert load_config("tiny", options={"data.manifest": str(odd)}).data.manifests == (str(odd),)
    assert "classes" not in config.meaning()["data"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=4),
    st.integers(2, 24),
    st.integers(0, 2**16),
)
def test_batches_hold_as_much_of_each_corpus(sizes: list[int], batch_size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corpora = np.repeat(np.arange(len(sizes)), sizes)
    batches = BalancedBatches(rng.integers(10, 400, len(corpora)), corpora, batch_size, seed)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    for batch in drawn:
        counts = np.bincount(corpora[batch], minlength=len(sizes))
        assert counts.max() - counts.min() <= 1
        assert counts.min() >= 1
        assert counts.sum() == max(batch_size, len(sizes))
    assert set(np.concatenate(drawn)) == set(range(len(corpora)))  # nothing is never heard
    assert [sorted(batch) for batch in batches] != [sorted(batch) for batch in drawn] or len(drawn) < 3


def test_smaller_corpora_start_over_and_the_epoch_decides_the_order() -> None:
    corpora = np.repeat([0, 1], [40, 8])
    lengths = np.arange(48)
    same = [list(BalancedBatches(lengths, corpora, 8, 3, epoch=lambda: 2)) for _ in range(2)]
    assert same[0] == same[1]
    heard = np.bincount(np.concatenate(same[0]), minlength=48)
    assert (heard[:40] == 1).all()
    assert (heard[40:] == 5).all()
    assert len(list(BalancedBatches(lengths, corpora, 8, 3, most=3))) == 3
