"""A corpus heard by a made-up encoder of three levels, of which the middle one alone tells emotions apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureStore

FEATURES = 40
LEVELS = (0, 3, 5)
CHOICES = ("0", "3", "5", "0+3", "3+5")
SETTINGS = (
    "search.epochs=2", "retrain.epochs=2", "search.batch_size=8", "retrain.batch_size=8", "search.epoch_steps=2",
    "space.cnn_primitives=[skip_connect,avg_pool_3x3,none]", "space.seqnn_primitives=[skip_connect,lstm_1]",
    "space.cnn_cells=2", "space.reduction_cells=[1]", "space.cnn_nodes=1", "space.seqnn_nodes=1",
    "space.poolings=[mean,attention,statistics,maximum]", "space.joined_levels=2",
)  # fmt: skip
OPTIONS: dict[str, list[str]] = {
    "darts": ["level_learning_rate=0.1", "partial_channels=2", "cost.weight=0.1", "beta_decay=0.5"],
    "darts_second_order": ["level_learning_rate=0.1", "selection=perturbation", "tuning_steps=0"],
    "gumbel_darts": ["level_learning_rate=0.1"],
    "proxyless": ["level_learning_rate=0.1", "cost.weight=0.1"],
    "random_one_shot": ["samples=3"],
    "enas": ["samples=3", "paths_per_update=2"],
    **{name: ["candidates=2", "concurrency=1", "epochs=1"] for name in ("random", "grid", "evolution")},
    "tpe": ["candidates=4", "concurrency=1", "epochs=1"],
    "policy_rl": ["candidates=2", "concurrency=1", "epochs=1"],
}


class Levels(FeatureStore):
    """Levels of which the middle one holds the log-mel bands, those of its class louder, and the others noise."""

    labels: np.ndarray

    def __getitem__(self, row: int) -> np.ndarray:
        mel = np.array(super().__getitem__(row))
        mel[self.labels[row] :: len(np.unique(self.labels))] += mel.std()
        noise = np.random.default_rng(row).standard_normal((2, *mel.shape))
        return np.concatenate([noise[0], mel, noise[1]]).astype(np.float16)


def by_levels(small_corpus: Corpus) -> Corpus:
    """The corpus as the encoder hears it."""
    store = small_corpus.store
    levels = Levels(store.shelf, store._keys, store._digests, store.lengths, store._mend, store._numbers)
    levels.labels = small_corpus.manifest.labels
    return replace(small_corpus, store=levels, input_shape=(len(LEVELS), FEATURES), pretrained=True)


def configured(manifest: Path, strategy: str, *more: str) -> ExperimentConfig:
    """A short search on it."""
    stream = {"name": "voice", "kind": "pretrained", "model": "openai/whisper-base", "levels": list(LEVELS)}
    settings = [*SETTINGS, *(f"search.options.{option}" for option in OPTIONS[strategy]), *more]
    options = {"data.manifest": str(manifest), "search.strategy": strategy, "features.streams": [stream]}
    return load_config("tiny", settings=settings, options=options)
