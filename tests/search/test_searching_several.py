"""Every strategy chooses which of several streams is heard; what it finds is retrained on those alone, and drawn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nni_emodarts import Architecture
from nni_emodarts.benchmark.checks import refuse_other_features
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureStore, Normalizer
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.costs import architecture_cost
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.report.drawings.drawing import drawings, find_subject
from nni_emodarts.report.drawings.network import describe_network
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain_fold
from nni_emodarts.training.task import EmotionTask

BINS = 40
FEATURES = 20
LEVELS = (0, 3)
SETTINGS = (
    "search.epochs=2", "retrain.epochs=1", "search.batch_size=8", "retrain.batch_size=8", "search.epoch_steps=2",
    "retrain.epoch_steps=3", "retrain.mixup=0.2", "retrain.excerpt=0.7", "retrain.perturbation.tempo=0.2",
    "space.cnn_primitives=[skip_connect,avg_pool_3x3,none]", "space.seqnn_primitives=[skip_connect,lstm_1]",
    "space.cnn_cells=2", "space.reduction_cells=[1]", "space.cnn_nodes=1", "space.seqnn_nodes=1",
    "space.shortcut=true",
)  # fmt: skip
OPTIONS: dict[str, list[str]] = {
    "darts": ["level_learning_rate=0.1", "partial_channels=2", "cost.weight=0.1", "cost.metric=flops"],
    "darts_second_order": ["selection=perturbation", "tuning_steps=0"],
    "gumbel_darts": [],
    "proxyless": ["cost.weight=0.1"],
    "random_one_shot": ["samples=3"],
    "enas": ["samples=3", "paths_per_update=2"],
    "random": ["candidates=2", "concurrency=1", "epochs=1", "max_cost.limit=40000"],
    **{name: ["candidates=2", "concurrency=1", "epochs=1"] for name in ("grid", "evolution", "tpe", "policy_rl")},
}


class Levels(FeatureStore):
    """Two levels of every third frame, of which one holds half of the log-mel bands, and the other noise."""

    def __getitem__(self, row: int) -> np.ndarray:
        mel = np.asarray(super().__getitem__(row))[:FEATURES, ::3]
        noise = np.random.default_rng(row).standard_normal(mel.shape)
        return np.concatenate([noise, mel]).astype(np.float16)


@pytest.fixture(scope="module")
def corpus(small_corpus: Corpus, known_encoder: None) -> Corpus:
    store = small_corpus.store
    levels = Levels(store.shelf, store._keys, store._digests, store.lengths, store._mend, store._numbers)
    voice = replace(small_corpus, store=levels, input_shape=(len(LEVELS), FEATURES), pretrained=True, name="voice")
    return replace(small_corpus, name="mel", beside=(voice,))


def configured(manifest: Path, strategy: str, *more: str) -> ExperimentConfig:
    streams = [
        {"name": "mel", "kind": "log_mel", "mel_bands": BINS},
        {"name": "voice", "kind": "pretrained", "model": "openai/whisper-base", "levels": list(LEVELS), "hop_ms": 60},
    ]
    settings = [*SETTINGS, *(f"search.options.{option}" for option in OPTIONS[strategy]), *more]
    options = {"data.manifest": str(manifest), "search.strategy": strategy, "features.streams": streams}
    return load_config("tiny", settings=settings, options=options)


def needs_extra(strategy: str) -> Any:
    missing = not STRATEGIES[strategy].installed
    return pytest.param(strategy, marks=pytest.mark.skipif(missing, reason="needs its extra"))


@pytest.mark.parametrize("strategy", [needs_extra(strategy) for strategy in OPTIONS])
def test_every_strategy_chooses_what_is_heard(
    strategy: str, small_manifest: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)
    task = FoldTask.of(configured(small_manifest, strategy), corpus, 1, 3)
    found = search(task, RunFolder.claim(tmp_path / "search"))
    assert found.choices["stream"] in ("mel", "voice", "mel+voice")
    assert found.input_shape == {"mel": (1, BINS), "voice": (len(LEVELS), FEATURES)}
    assert Architecture.load(tmp_path / "search" / "architecture.json").id == found.id
    if (tmp_path / "search" / "alphas.csv").exists():
        table = pd.read_csv(tmp_path / "search" / "alphas.csv")
        rows = table[(table["label"] == "stream") & (table["epoch"] == 1)]
        assert rows["choice"].tolist() == ["mel", "voice", "mel+voice"]
        assert rows["probability"].sum() == pytest.approx(1)
    if (tmp_path / "search" / "candidates.csv").exists():
        assert {"stream", "level_voice"} <= set(pd.read_csv(tmp_path / "search" / "candidates.csv").columns)


def test_streams_are_normalised_by_themselves_and_batched_together(small_manifest: Path, corpus: Corpus) -> None:
    task = FoldTask.of(configured(small_manifest, "darts"), corpus, 1, 3)
    mel, voice = corpus.streams
    own = [Normalizer.fit(each.store, task.fold.train) for each in (mel, voice)]
    np.testing.assert_array_equal(task.normalizer.mean, np.concatenate([each.mean for each in own]))
    rows = task.fold.validation
    together = next(iter(task.evaluation_batches(rows, 4)))
    assert isinstance(together.maps, tuple)
    assert together.lengths.shape == (4, 2)
    for place, name in enumerate(("mel", "voice")):
        heard = task.hearing({}, [name])
        alone = next(iter(heard.evaluation_batches(rows, 4)))
        assert torch.equal(together.maps[place], alone.maps)
        assert torch.equal(together.lengths[:, place], alone.lengths)
        assert torch.equal(together.rows, alone.rows)
        np.testing.assert_array_equal(heard.normalizer.mean, own[place].mean)
    coarse = next(iter(task.coarser().evaluation_batches(rows, 4)))
    factor = task.config.search.coarseness
    assert torch.equal(coarse.lengths, -(-together.lengths // factor))


def test_by_speaker_all_streams_are_normalised_by_the_same_recordings(small_manifest: Path, corpus: Corpus) -> None:
    config = configured(small_manifest, "darts", "features.normalization=speaker", "features.unfit_speakers=allow")
    task = FoldTask.of(config, corpus, 1, 3)
    chosen: list[list[list[int]]] = []
    for place in range(2):
        normalizers = task.drawing(5, lambda: 2, place)
        choose = normalizers.choose  # type: ignore[attr-defined]
        chosen.append([choose(int(row)).tolist() for row in task.fold.train[:6] for _ in range(2)])
    assert chosen[0] == chosen[1]
    batch = next(iter(task.training_batches(task.fold.train, 4, epoch=lambda: 1)))
    assert all(torch.isfinite(each).all() for each in batch.maps)


def fixed(config: ExperimentConfig, corpus: Corpus, stream: str) -> Architecture:
    """An architecture that hears some streams."""
    from nni_emodarts.models.space import random_architecture

    sample = flat_sample(random_architecture(config.space, 4, corpus.shapes, 0))
    sample |= {"stream": stream, "level_voice": "3"}
    if stream == "mel":
        del sample["level_voice"]
    return Architecture.from_choices(config.space, sample, 4, corpus.shapes)


@pytest.mark.parametrize("stream", ["mel", "voice", "mel+voice"])
def test_a_retraining_reads_what_it_hears_alone(
    stream: str, small_manifest: Path, corpus: Corpus, tmp_path: Path
) -> None:
    config = configured(small_manifest, "darts")
    architecture = fixed(config, corpus, stream)
    task = FoldTask.of(config, corpus, 1, 3)
    metrics = retrain_fold(task, architecture, RunFolder.claim(tmp_path / "fold"))
    assert metrics["parameters"] == architecture_cost(architecture, "parameters", 9)
    rows = {"mel": BINS, "voice": len(LEVELS) * FEATURES}
    held = RunFolder(tmp_path / "fold").read_json("normalization.json")
    assert len(held["mean"]) == sum(rows[name] for name in architecture.heard)
    import onnxruntime

    session = onnxruntime.InferenceSession((tmp_path / "fold" / "model.onnx").read_bytes())
    names = ["maps", "lengths"] if "+" not in stream else ["maps_mel", "maps_voice", "lengths"]
    assert [each.name for each in session.get_inputs()] == names
    subject = find_subject(tmp_path / "fold")
    assert {"normal", "reduce", "seqnn", "network"} <= {name for name, _ in drawings(subject)}
    told = describe_network(subject.network, *subject.length)
    assert ("Stem of mel leaves maps" in told) == ("mel" in stream)
    assert ("Level 3 of voice leaves maps" in told) == ("voice" in stream)
    assert ("Sum of streams leaves sequence" in told) == ("+" in stream)


class Cut(BaseException):
    """What stops a search in the middle of a step."""


@pytest.mark.parametrize("strategy", ["darts", "proxyless"])
def test_a_search_that_is_cut_off_ends_as_one_that_is_not(
    strategy: str, small_manifest: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = FoldTask.of(configured(small_manifest, strategy, "search.epochs=3"), corpus, 1, 3)
    search(task, RunFolder.claim(tmp_path / "whole"))
    step = EmotionTask.training_step

    def step_or_cut(training: EmotionTask, batch: Any, batch_idx: int) -> Any:
        if training.trainer.current_epoch == 2:
            raise Cut
        return step(training, batch, batch_idx)

    monkeypatch.setattr(EmotionTask, "training_step", step_or_cut)
    with pytest.raises(Cut):
        search(task, RunFolder.claim(tmp_path / "cut"))
    monkeypatch.setattr(EmotionTask, "training_step", step)
    search(task, RunFolder.claim(tmp_path / "cut", resume=True))
    for name in ("architecture.json", "alphas.csv", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_what_hears_one_stream_says_so(small_manifest: Path) -> None:
    config = configured(small_manifest, "darts")
    with pytest.raises(
        ConfigError, match="method cnn hears one stream of spectral maps, but the features are mel, voice"
    ):
        refuse_other_features(config, [Method("cnn")])
    refuse_other_features(config, [Method("linear_probe"), Method("darts")])
