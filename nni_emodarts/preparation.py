"""Configuration -> the corpus with its features, ready to be divided."""

from dataclasses import dataclass

import numpy as np

from nni_emodarts.config import DataConfig, FeatureConfig
from nni_emodarts.corpora.synthetic import ensure_corpus
from nni_emodarts.data import SpecAugment, Utterances
from nni_emodarts.errors import ConfigError
from nni_emodarts.features import FeatureExtractor, FeatureStore, Normalizer, build_store, default_cache
from nni_emodarts.manifest import Manifest, read_manifest
from nni_emodarts.progress import Progress, silent
from nni_emodarts.protocols import Fold, make_fold

SYNTHETIC = "synthetic"
"""What stands for the embedded corpus in place of a manifest's path."""


@dataclass(frozen=True)
class Corpus:
    """A manifest with the features of its utterances."""

    manifest: Manifest
    store: FeatureStore
    protocol: str
    input_shape: tuple[int, int]

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.manifest.classes)

    @property
    def frequency_bins(self) -> int:
        """Height F of a map."""
        return self.input_shape[1]

    def fold(self, index: int) -> Fold:
        """A fold of the corpus's protocol."""
        return make_fold(self.manifest, self.protocol, index)

    def speakers(self, rows: np.ndarray) -> list[str]:
        """Sorted known speakers of rows."""
        return sorted(set(self.manifest.table["speaker"].iloc[rows]) - {""})

    def utterances(self, rows: np.ndarray, normalizer: Normalizer, augment: SpecAugment | None = None) -> Utterances:
        """Rows as a data set."""
        return Utterances(self.store, rows, self.manifest.labels, normalizer, augment)


def load_manifest(data: DataConfig) -> Manifest:
    """The manifest that a configuration names; the embedded corpus is made where it is not there yet.

    Raises:
        ConfigError: none is named.
        ManifestError: it cannot be used.
    """
    if data.manifest is None:
        raise ConfigError(
            f"data.manifest is missing; give --manifest FILE.csv, or --manifest {SYNTHETIC} for the embedded corpus"
        )
    path = ensure_corpus(default_cache()) if data.manifest == SYNTHETIC else data.manifest
    return read_manifest(path, data.emotions, data.merge)


def prepare(
    data: DataConfig, features: FeatureConfig, manifest: Manifest | None = None, progress: Progress = silent
) -> Corpus:
    """Read the manifest and extract what the feature store does not hold yet."""
    manifest = manifest or load_manifest(data)
    extractor = FeatureExtractor(**features.model_dump())
    root = default_cache() if data.cache is None else data.cache
    store = build_store(manifest, extractor, root, data.workers, progress)
    return Corpus(manifest, store, data.protocol, features.input_shape)
