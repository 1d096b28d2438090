"""Where speakers show one emotion each, or have few recordings, their own mean is not taken unless one insists."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.dimensions import Wanted
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.unfit import checked_folds, find_unfit
from nni_emodarts.errors import UnfitSpeakers

Rows = list[tuple[str, str]]
"""Speaker and emotion of each recording."""


def balanced(names: str) -> Rows:
    return [(name, emotion) for name in names for emotion in ("anger", "joy", "sadness") for _ in range(2)]


def manifest_of(rows: Rows, folder: Path) -> Manifest:
    lines = [f"{number}.wav,{emotion},{speaker}" for number, (speaker, emotion) in enumerate(rows)]
    for number in range(len(rows)):
        (folder / f"{number}.wav").touch()
    (folder / "manifest.csv").write_text("\n".join(["file,emotion,speaker", *lines]) + "\n")
    return read_manifest(folder / "manifest.csv")


def configured(**features: str) -> ExperimentConfig:
    return load_config("tiny", settings=[f"features.{name}={value}" for name, value in features.items()])


def test_speakers_with_every_emotion_are_fit(tmp_path: Path) -> None:
    manifest = manifest_of(balanced("abcdefgh"), tmp_path)
    assert find_unfit(manifest, np.arange(len(manifest))) == ([], 8)
    assert len(checked_folds(configured(normalization="speaker"), manifest)) == 8


def test_unfit_speakers_are_found_with_their_reason(tmp_path: Path) -> None:
    rows = [*balanced("abcd"), *[("one", "joy")] * 12, *[("nearly", "anger")] * 9, ("nearly", "joy"), ("few", "joy")]
    rows += [("few", "anger"), ("", "sadness"), ("", "joy")]
    manifest = manifest_of(rows, tmp_path)
    unfit, count = find_unfit(manifest, np.arange(len(manifest)))
    assert count == 9
    assert [(each.speaker, each.recordings, each.reason) for each in unfit] == [
        ("one", 12, "joy alone"),
        ("nearly", 10, "9 of 10 are anger"),
        ("few", 2, "fewer than 6 recordings"),
        ("(not known)", 2, "speaker not known"),
    ]


@pytest.mark.parametrize(("odd", "refused"), [(1, False), (2, True)])
def test_one_in_five_is_the_bound(odd: int, refused: bool, tmp_path: Path) -> None:
    rows = [*balanced("abcdefgh"), *((f"odd{number}", "joy") for number in range(odd) for _ in range(6))]
    table = manifest_of(rows, tmp_path)
    config = configured(normalization="speaker")
    if not refused:
        checked_folds(config, table, [0])
        return
    with pytest.raises(UnfitSpeakers, match=r"normalization: speaker is refused") as found:
        checked_folds(config, table, [0])
    assert [row[0] for row in found.value.rows] == ["odd0", "odd1"]
    checked_folds(configured(normalization="speaker", unfit_speakers="allow"), table, [0])
    checked_folds(configured(), table, [0])


def test_a_fold_of_a_corpus_is_judged_wherever_it_is_taken_from(
    fast_config: ExperimentConfig, small_corpus: Corpus
) -> None:
    features = fast_config.features.model_copy(update={"normalization": "speaker"})
    config = fast_config.model_copy(update={"features": features})
    table = small_corpus.manifest.table.assign(speaker=[str(row) for row in range(len(small_corpus.manifest))])
    alone = replace(small_corpus, manifest=replace(small_corpus.manifest, table=table))
    for take in (lambda: FoldTask.of(config, alone, 0, 1), lambda: fold_tasks(config, alone, [0], [1])):
        with pytest.raises(UnfitSpeakers, match=r"training speakers show one emotion"):
            take()
    assert FoldTask.of_all(config, alone, 1).enrolments  # whose folds were judged before


def test_a_command_refuses_before_it_reads_recordings_and_shows_the_table(
    refused: Callable[..., None], tmp_path: Path
) -> None:
    manifest_of(
        [*balanced("abcdefghijklmno"), *((f"odd{number}", "joy") for number in range(30) for _ in range(6))], tmp_path
    )
    words = ("--manifest", tmp_path / "manifest.csv", "--preset", "tiny", "--set", "features.normalization=speaker")
    says = (
        "features.normalization", "training speakers show one emotion", "--allow-unfit-speakers", "recordings  why",
        "6  joy alone", "more",
    )  # fmt: skip
    refused("search", *words, "--out", tmp_path / "out", says=says)
    refused("benchmark", *words, "--methods", "cnn", "--name", "x", "--out", tmp_path / "out", says=says)
    refused("experiment", *words, "--out", tmp_path / "e.yml", says=says)
    # who insists comes as far as the recordings, which are not there
    refused("search", *words, "--out", tmp_path / "out", "--allow-unfit-speakers", says=("cannot be used",))


def test_of_dimensions_alone_unknown_emotions_say_nothing(tmp_path: Path) -> None:
    rows = [(name, "") for name in "abcd" for _ in range(8)]
    rows += [*[("one", "joy")] * 9, ("one", ""), *[("hardly", "joy")] * 2, *[("hardly", "")] * 6, ("few", "")]
    lines = [f"{number}.wav,{emotion},{who},{number % 7}" for number, (who, emotion) in enumerate(rows)]
    for number in range(len(rows)):
        (tmp_path / f"{number}.wav").touch()
    (tmp_path / "manifest.csv").write_text("\n".join(["file,emotion,speaker,arousal", *lines]) + "\n")
    manifest = read_manifest(tmp_path / "manifest.csv", dimensions=Wanted(alone=True))
    unfit, count = find_unfit(manifest, np.arange(len(manifest)))
    assert count == 7
    assert [(each.speaker, each.reason) for each in unfit] == [("one", "joy alone"), ("few", "fewer than 6 recordings")]
