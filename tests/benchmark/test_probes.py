"""Probes of a pretrained encoder: scikit-learn's answers on NumPy's features, chosen inside the training speakers."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from nni_emodarts.benchmark import Method, settings_digest
from nni_emodarts.benchmark.checks import refuse_other_features
from nni_emodarts.benchmark.probe import measure_probe
from nni_emodarts.config import ExperimentConfig, PretrainedStream
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.baselines.probe import PROBES, STRENGTHS
from nni_emodarts.models.baselines.probe_fitting import Heard, choose
from nni_emodarts.runtime.run_folder import RunFolder

LEVELS = (0, 3)
"""Halves of a log-mel map stand for two levels, so that no test needs an encoder."""


@pytest.fixture(scope="module")
def corpus(small_corpus: Corpus) -> Corpus:
    return replace(small_corpus, input_shape=(len(LEVELS), 20), pretrained=True)


def hearing(config: ExperimentConfig, normalization: str = "corpus") -> ExperimentConfig:
    stream = PretrainedStream(name="made_up", model="nowhere", levels=LEVELS)
    features = config.features.model_copy(update={"streams": (stream,), "normalization": normalization})
    return config.model_copy(update={"features": features})


def standardised(features: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    found: np.ndarray = (features - features[learnt].mean(0)) / features[learnt].std(0)
    return found


def test_a_probe_is_scikit_learns_regression_on_means_and_deviations(
    fast_config: ExperimentConfig, corpus: Corpus, tmp_path: Path
) -> None:
    task = FoldTask.of(hearing(fast_config), corpus, 1, 1)
    metrics = measure_probe(task, PROBES["last_level_probe"], RunFolder.claim(tmp_path / "out"))
    assert (metrics["level"], metrics["track"], metrics["speaker_adapted"]) == (3, "pretrained", False)
    maps = [np.asarray(corpus.store[row][20:], np.float64) for row in range(len(corpus.store))]
    features = np.stack([np.concatenate([each.mean(1), each.std(1)]) for each in maps])
    learnt = np.union1d(task.fold.train, task.fold.validation)
    scaled, labels = standardised(features, learnt), corpus.manifest.labels
    regression = LogisticRegression(C=metrics["strength"], class_weight="balanced", max_iter=1000)
    regression.fit(scaled[learnt], labels[learnt])
    table = pd.read_csv(tmp_path / "out" / "predictions.csv", dtype={"speaker": str})
    expected = regression.predict_proba(scaled[task.fold.test])
    np.testing.assert_allclose(table.filter(regex="^p_").to_numpy(), expected, atol=1e-3)
    classes = np.array(corpus.manifest.classes)
    assert table["predicted"].tolist() == classes[expected.argmax(1)].tolist()
    assert metrics["test_uar"] == uar(labels[task.fold.test], expected.argmax(1), 4)
    assert metrics["parameters"] == 4 * (40 + 1)


def test_level_and_strength_are_chosen_without_the_test_speakers(
    fast_config: ExperimentConfig, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = FoldTask.of(hearing(fast_config), corpus, 1, 1)
    seen: list[int] = []
    read = type(corpus.store).moments
    monkeypatch.setattr(
        type(corpus.store), "moments", lambda self, rows: (seen.extend(map(int, rows)), read(self, rows))[1]
    )
    from nni_emodarts.benchmark import probe as room

    def choosing(*given: object) -> object:
        assert not set(seen) & set(task.fold.test.tolist())
        return choose(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "choose", choosing)
    metrics = measure_probe(task, PROBES["linear_probe"], RunFolder.claim(tmp_path / "out"))
    assert metrics["level"] in LEVELS
    assert metrics["strength"] in STRENGTHS
    assert set(task.fold.test.tolist()) <= set(seen)


def test_the_level_that_tells_the_classes_apart_is_chosen() -> None:
    generator = np.random.default_rng(0)
    labels, speakers = np.tile([0, 1, 2], 20), np.repeat(np.arange(6), 10)
    noise, clear = generator.normal(size=(2, 60, 4)).astype(np.float32)
    clear[:, :3] += 4 * np.eye(3)[labels]
    found = choose([Heard(each[np.newaxis], each) for each in (noise, clear)], STRENGTHS, labels, speakers, 4)
    assert found.level == 1
    assert found.uar > 0.9
    one = choose([Heard(clear[np.newaxis], clear)], STRENGTHS, labels, np.zeros(60), 4)
    assert (one.level, one.strength) in {(0, strength) for strength in STRENGTHS}


def test_a_probe_may_be_speaker_adapted(fast_config: ExperimentConfig, corpus: Corpus, tmp_path: Path) -> None:
    task = FoldTask.of(hearing(fast_config, "speaker"), corpus, 1, 1)
    found = [measure_probe(task, PROBES["linear_probe"], RunFolder.claim(tmp_path / name)) for name in ("one", "same")]
    assert found[0]["speaker_adapted"] is True
    assert set(found[0]["enrolment"]) == {"all", "none", "5", "20", "neutral"}
    tables = [(tmp_path / name / "predictions.csv").read_bytes() for name in ("one", "same")]
    assert tables[0] == tables[1]


def test_what_does_not_matter_to_a_probe_is_no_setting_of_its_cells(fast_config: ExperimentConfig) -> None:
    config = hearing(fast_config)
    other = config.model_copy(update={"retrain": config.retrain.model_copy(update={"epochs": 9})})
    probe, head = Method("linear_probe"), Method("weighted_levels")
    assert settings_digest(config, probe, "m") == settings_digest(other, probe, "m")
    assert settings_digest(config, head, "m") != settings_digest(other, head, "m")
    assert settings_digest(hearing(fast_config, "speaker"), probe, "m") != settings_digest(config, probe, "m")
    assert settings_digest(config, Method("last_level_probe"), "m") != settings_digest(config, probe, "m")


def test_features_without_levels_are_refused_with_the_remedy(
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    refused: Callable[..., None],
    small_manifest: Path,
    tmp_path: Path,
) -> None:
    words = ("benchmark", "--manifest", small_manifest, "--preset", "tiny", "--name", "x", "--out", tmp_path / "out")
    says = ("hears levels of a pretrained encoder, but features.streams holds none", "--front-end MODEL")
    for name in ("linear_probe", "last_level_probe", "weighted_levels"):
        refused(*words, "--methods", f"cnn,{name}", says=(name, *says))
    task = FoldTask.of(fast_config, small_corpus, 0, 1)
    with pytest.raises(ConfigError, match="--front-end MODEL"):
        measure_probe(task, PROBES["linear_probe"], RunFolder.claim(tmp_path / "folder"))


def test_networks_of_spectral_maps_hear_no_levels(fast_config: ExperimentConfig) -> None:
    config = hearing(fast_config, "corpus")
    with pytest.raises(ConfigError, match="method cnn, cnn_lstm hears spectral maps"):
        refuse_other_features(config, [Method("cnn"), Method("cnn_lstm"), Method("weighted_levels"), Method("darts")])
    refuse_other_features(config, [Method("weighted_levels"), Method("linear_probe"), Method("darts")])


@pytest.mark.slow
def test_real_speech_is_recognised(
    real_encoder: Path, emodarts: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """Six speakers, two of whom test; the whole of EMO-DB gives 0.96. Likewise where voices are normalised."""
    manifest = Path(os.environ.get("EMODARTS_DATA", real_encoder.parents[1] / "data")) / "emodb4" / "manifest.csv"
    if not manifest.is_file():
        pytest.skip(f"EMO-DB is not at {manifest}")
    some = pd.read_csv(manifest, dtype=str).assign(
        file=lambda table: [str(manifest.parent / each) for each in table["file"]]
    )
    some[some["speaker"].isin(sorted(set(some["speaker"]))[:6])].to_csv(tmp_path / "some.csv", index=False)

    def measured(name: str, methods: str, *more: str) -> tuple[str, dict[str, Any]]:
        code, said = emodarts(
            "benchmark", "--manifest", tmp_path / "some.csv", "--preset", "tiny", "--protocol", "loso",
            "--folds", "0,1", "--methods", methods, "--front-end", real_encoder, "--name", name,
            "--out", tmp_path / "out", "--runs", tmp_path / "runs", *more,
        )  # fmt: skip
        assert code == 0, said
        table = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        return said, {each["name"]: each for each in table["methods"]}

    said, methods = measured("real", "linear_probe,last_level_probe")
    assert "(pretrained)" in said
    assert methods["linear_probe"]["uar_mean"] > 0.9
    assert methods["linear_probe"]["uar_mean"] > methods["last_level_probe"]["uar_mean"]
    assert set(methods["linear_probe"]["levels"]) <= {"2", "3", "4"}
    said, adapted = measured("adapted", "last_level_probe", "--set", "features.normalization=speaker")
    assert "speaker-adapted" in said
    assert adapted["last_level_probe"]["uar_mean"] > 0.7, (
        "chance is 0.25; of all ten speakers normalising voices adds 0.01"
    )
