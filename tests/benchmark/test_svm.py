"""Machines on functionals. The functionals are made up here, so that no test needs openSMILE."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from finished_cells import cell_in
from made_up_smile import Smile
from sklearn.metrics import recall_score
from sklearn.svm import SVC

from nni_emodarts.benchmark import Method, Plan, compare, settings_digest
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import functionals, read_audio
from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.summaries import BenchmarkSummary
from nni_emodarts.models.baselines.svm import SVMS
from nni_emodarts.models.baselines.svm_fitting import count_parameters, fit_svm

DESIGN = SVMS["egemaps_svm"]


@pytest.fixture(scope="module")
def compared(
    fast_config: ExperimentConfig, no_smile: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, BenchmarkSummary]:
    folder = tmp_path_factory.mktemp("svm")
    plan = Plan(fast_config, [Method("egemaps_svm"), Method("compare_svm")], range(6), [1, 2])
    return folder, compare("small", plan, folder / "out", folder / "runs")


def test_a_cell_is_like_any_other(compared: tuple[Path, BenchmarkSummary], small_corpus: Corpus) -> None:
    folder, summary = compared
    assert json.loads((folder / "out" / "small.json").read_text()) == summary.to_data()
    for method in summary.methods:
        assert method.utterances == len(small_corpus.manifest)
        assert method.speakers == 6
        assert method.uar_std == 0, "nothing is random"
        assert method.search_cpu_seconds == 0
        assert method.val_uar is not None
        assert 0 <= method.val_uar <= 1
        files = sorted((folder / "runs" / method.name).glob("*/fold_*/seed_1/predictions.csv"))
        table = pd.concat([pd.read_csv(file, dtype=str) for file in files])
        recall = recall_score(table["emotion"], table["predicted"], average="macro", zero_division=0)
        assert method.uar_mean == pytest.approx(recall)
    cell = cell_in(folder / "out", "egemaps_svm", 3, 2)
    assert list(cell.speakers) == small_corpus.speakers(small_corpus.fold(3).test)
    assert cell.parameters == 6 * (88 + 1), "a weight a feature and an offset for each of 6 pairs of 4 classes"


def test_comparisons_are_with_the_last(compared: tuple[Path, BenchmarkSummary]) -> None:
    summary = compared[1]
    (found,) = summary.comparisons
    first, last = (method.uar_mean for method in summary.methods)
    assert (found.method, found.reference) == ("egemaps_svm", "compare_svm")
    assert found.difference == pytest.approx(first - last)
    assert found.exact
    assert 2 / 2**6 <= found.p == found.p_holm <= 1
    assert found.interval[0] <= found.difference <= found.interval[1]


def test_predictions_are_those_of_train_and_validation_speakers(
    compared: tuple[Path, BenchmarkSummary], small_corpus: Corpus
) -> None:
    """By hand: mean and deviation of the speakers learnt from, a machine on them, the test speaker's predictions."""
    smile, labels, fold = Smile("eGeMAPSv02"), small_corpus.manifest.labels, small_corpus.fold(2)
    waveforms = [read_audio(file, 16_000) for file in small_corpus.manifest.table["file"]]
    features = np.float32([smile.process_signal(each, 16_000)[0] for each in waveforms]).astype(np.float64)
    rows = np.concatenate([fold.train, fold.validation])
    features = (features - features[rows].mean(0)) / features[rows].std(0)
    weights = len(rows) / (4 * np.bincount(labels[rows]))
    machine = SVC(kernel="linear", C=0.1, class_weight=dict(enumerate(weights)))
    expected = machine.fit(features[rows], labels[rows]).predict(features[fold.test])
    (file,) = (compared[0] / "runs" / "egemaps_svm").glob("*/fold_02/seed_1/predictions.csv")
    table = pd.read_csv(file, dtype=str)
    assert table["predicted"].tolist() == [small_corpus.manifest.classes[number] for number in expected]


def test_features_are_standardised_on_what_is_learnt_from() -> None:
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(40, 5)), np.arange(40) % 3
    fitted = fit_svm(DESIGN, features, labels)
    np.testing.assert_allclose(fitted[0].mean_, features.mean(0))
    np.testing.assert_allclose(fitted[0].scale_, features.std(0))
    assert count_parameters(fitted) == 3 * 6


def test_a_constant_feature_does_no_harm() -> None:
    features = np.column_stack([np.arange(20.0), np.full(20, 7.0)])
    labels = (np.arange(20) >= 10).astype(int)
    assert fit_svm(DESIGN, features, labels).predict(np.array([[-3.0, 9.0], [30.0, -9.0]])).tolist() == [0, 1]


def test_the_command_shows_figures_and_differences(
    emodarts: Callable[..., tuple[int, str]], no_smile: None, small_manifest: Path, tmp_path: Path
) -> None:
    words = ["benchmark", "--manifest", small_manifest, "--preset", "tiny", "--folds", "0-3", "--name", "small"]
    words += ["--methods", "egemaps_svm,compare_svm", "--out", tmp_path / "out", "--runs", tmp_path / "runs"]
    code, printed = emodarts(*words, "--reference", "egemaps_svm")
    assert code == 0
    assert "UAR less that of egemaps_svm" in printed
    (found,) = json.loads((tmp_path / "out" / "small.json").read_text())["comparisons"]
    assert found["method"] == "compare_svm"
    assert f"{found['difference']:+.3f}" in printed
    code, printed = emodarts(*words, "--reference", "tim_net")
    assert code == 2
    assert "'tim_net' is not among the methods (egemaps_svm, compare_svm)" in printed


def test_a_digest_covers_what_matters_to_a_machine(fast_config: ExperimentConfig) -> None:
    def digest(method: str = "compare_svm", **changed: Any) -> str:
        data = fast_config.model_dump(mode="json")
        for section, values in changed.items():
            data[section] = {**data[section], **values}
        return settings_digest(ExperimentConfig.model_validate(data), Method(method), "corpus")

    assert digest() == digest(search={"epochs": 7}, retrain={"epochs": 7}, features={"mel_bands": 20})
    assert digest() != digest(data={"protocol": "kfold:3"})
    assert digest() != digest("egemaps_svm")


def test_a_reference_must_be_among_the_methods(fast_config: ExperimentConfig, tmp_path: Path) -> None:
    methods = [Method("egemaps_svm"), Method("compare_svm")]
    with pytest.raises(ConfigError, match="'darts' is not among the methods"):
        compare("small", Plan(fast_config, methods, [0], [1]), tmp_path, tmp_path, reference="darts")


def test_a_missing_extra_stops_before_anything_is_computed(
    fast_config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise functionals.PackageNotFoundError(name)

    monkeypatch.setattr(functionals, "version", absent)
    plan = Plan(fast_config, [Method("compare_svm")], [0], [1])
    with pytest.raises(ConfigError, match=r"nni_emodarts\[opensmile\]"):
        compare("small", plan, tmp_path / "out", tmp_path / "runs")
    assert not any((tmp_path / "runs").iterdir())
