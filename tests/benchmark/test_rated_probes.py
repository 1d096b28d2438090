"""Dimensions by ridge and support vector regression, on functionals and levels: scikit-learn's answers, end to end."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_smile import Smile
from sklearn.linear_model import Ridge
from sklearn.svm import SVR

from nni_emodarts.benchmark import Method, settings_digest
from nni_emodarts.benchmark import functionals as functionals_room
from nni_emodarts.benchmark import probe as probe_room
from nni_emodarts.benchmark.probe import measure_probe
from nni_emodarts.config import ExperimentConfig, PretrainedStream, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.features import read_audio
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.models.baselines.probe import COMPLEXITIES, PROBES
from nni_emodarts.models.baselines.rating import choose_rating
from nni_emodarts.models.baselines.ridge import PENALTIES
from nni_emodarts.runtime.run_folder import RunFolder

LEVELS = (0, 3)
"""Halves of a log-mel map stand for two levels, so that no test needs an encoder."""
NAMES = ("arousal", "valence", "dominance")


@pytest.fixture(scope="module")
def config(small_manifest: Path) -> ExperimentConfig:
    options = {"data.manifest": str(small_manifest), "data.protocol": "kfold:3", "data.task": "dimensions"}
    return load_config("tiny", options=options)


@pytest.fixture(scope="module")
def corpus(config: ExperimentConfig) -> Corpus:
    return load_corpus(config)


def hearing(config: ExperimentConfig, normalization: str = "corpus") -> ExperimentConfig:
    stream = PretrainedStream(name="made_up", model="nowhere", levels=LEVELS)
    features = config.features.model_copy(update={"streams": (stream,), "normalization": normalization})
    return config.model_copy(update={"features": features})


def answers_of(
    regression: Ridge | SVR, features: np.ndarray, values: np.ndarray, learnt: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """By hand: mean and deviation of what is learnt from, a regression of each dimension on places from -1 to 1."""
    low, high = 1.0, 7.0
    scaled = (features - features[learnt].mean(0)) / features[learnt].std(0)
    places = (values - 4.0) / 3.0
    rated = [regression.fit(scaled[learnt], column[learnt]).predict(scaled[test]) for column in places.T]
    return np.clip(4.0 + 3.0 * np.stack(rated, 1), low, high)


def test_a_ridge_regression_on_functionals_is_a_method_of_the_command(
    emodarts: Callable[..., tuple[int, str]],
    no_smile: None,
    small_manifest: Path,
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def choosing(regression: object, levels: list[object], places: np.ndarray, *given: object) -> object:
        asked.append(len(places))
        return choose_rating(regression, levels, places, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(functionals_room, "choose_rating", choosing)
    words = ["benchmark", "--manifest", small_manifest, "--preset", "tiny", "--protocol", "kfold:3", "--folds", "0,1"]
    words += ["--set", "data.task=dimensions", "--methods", "egemaps_ridge,egemaps_svm", "--name", "small"]
    code, said = emodarts(*words, "--out", tmp_path / "out", "--runs", tmp_path / "runs")
    assert code == 0, said
    assert "CCC less that of egemaps_svm" in said
    parts = [corpus.fold(number) for number in (0, 1)]
    expected = [size for part in parts for size in (len(part.train), len(part.train) + len(part.validation))]
    assert asked == expected, "the penalty is chosen among those who are learnt from, for validation and for test"

    smile, values, tables = Smile("eGeMAPSv02"), corpus.manifest.values, []
    waveforms = [read_audio(file, 16_000) for file in corpus.manifest.table["file"]]
    features = np.float32([smile.process_signal(each, 16_000)[0] for each in waveforms]).astype(np.float64)
    for number, part in enumerate(parts):
        (folder,) = (tmp_path / "runs" / "small" / "egemaps_ridge").glob(f"*/fold_0{number}/seed_1")
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["strength"] in PENALTIES
        assert metrics["parameters"] == 3 * (88 + 1)
        table = pd.read_csv(folder / "predictions.csv")
        learnt, test = np.union1d(part.train, part.validation), np.sort(part.test)
        by_hand = answers_of(Ridge(alpha=metrics["strength"]), features, values, learnt, test)
        np.testing.assert_allclose(table[[f"predicted_{name}" for name in NAMES]], by_hand, atol=1e-4)
        tables.append(table)
    (ridge, _) = json.loads((tmp_path / "out" / "small.json").read_text())["rated"]
    pooled = pd.concat(tables)
    reached = [ccc(pooled[name].to_numpy(), pooled[f"predicted_{name}"].to_numpy()) for name in NAMES]
    assert ridge["mean"] == pytest.approx(np.mean(reached)), "the figure is the mean CCC of all folds' predictions"


def test_support_vectors_on_levels_are_scikit_learns_on_means_and_deviations(
    config: ExperimentConfig, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = replace(corpus, input_shape=(len(LEVELS), 20), pretrained=True)
    task, found = FoldTask.of(hearing(config), heard, 1, 1), []

    def choosing(regression: object, levels: list[object], places: np.ndarray, *given: object) -> object:
        found.append((len(levels), len(places)))
        return choose_rating(regression, levels, places, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(probe_room, "choose_rating", choosing)
    metrics = measure_probe(task, PROBES["svr_probe"], RunFolder.claim(tmp_path / "out"))
    learnt, test = np.union1d(task.fold.train, task.fold.validation), np.sort(task.fold.test)
    assert found == [(len(LEVELS), len(learnt))]
    assert metrics["level"] in LEVELS
    assert metrics["strength"] in COMPLEXITIES
    assert metrics["parameters"] == 3 * (40 + 1)
    bands = slice(20 * LEVELS.index(metrics["level"]), 20 * LEVELS.index(metrics["level"]) + 20)
    maps = [np.asarray(corpus.store[row][bands], np.float64) for row in range(len(corpus.store))]
    features = np.stack([np.concatenate([each.mean(1), each.std(1)]) for each in maps])
    machine = SVR(kernel="linear", C=metrics["strength"], epsilon=0.1)
    by_hand = answers_of(machine, features, corpus.manifest.values, learnt, test)
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    np.testing.assert_allclose(table[[f"predicted_{name}" for name in NAMES]], by_hand, atol=0.02)
    assert metrics["test_ccc"] == pytest.approx(
        np.mean([ccc(table[name].to_numpy(), table[f"predicted_{name}"].to_numpy()) for name in NAMES])
    )


@pytest.mark.parametrize("task", ["emotion", "both"])
def test_what_knows_dimensions_alone_is_refused(
    refused: Callable[..., None], small_manifest: Path, tmp_path: Path, task: str
) -> None:
    words = ("benchmark", "--manifest", small_manifest, "--preset", "tiny", "--set", f"data.task={task}", "--name", "x")
    says = ("is of dimensions alone", f"task {task} learns emotions; set it to dimensions, or leave the method out")
    for name in ("egemaps_ridge", "compare_ridge", "svr_probe"):
        refused(*words, "--methods", f"cnn,{name}", "--out", tmp_path / "out", says=(f"method {name}", *says))


def test_what_does_not_matter_to_a_regression_is_no_setting_of_its_cells(config: ExperimentConfig) -> None:
    def digest(name: str, used: ExperimentConfig = config) -> str:
        return settings_digest(used, Method(name), "m")

    other = config.model_copy(update={"retrain": config.retrain.model_copy(update={"epochs": 9})})
    for name in ("egemaps_ridge", "svr_probe"):
        assert digest(name) == digest(name, other)
    assert digest("egemaps_ridge") == digest("egemaps_ridge", hearing(config)), "it has features of its own"
    assert digest("svr_probe") != digest("svr_probe", hearing(config))
    names = ("egemaps_ridge", "compare_ridge", "egemaps_svm", "linear_probe", "svr_probe")
    assert len({digest(name) for name in names}) == len(names)
