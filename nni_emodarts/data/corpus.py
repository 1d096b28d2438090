"""Configuration -> the corpus with its features, ready to be divided."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from nni_emodarts.config import SYNTHETIC, DataConfig, ExperimentConfig, SpectralStream
from nni_emodarts.data.batches import Augment, Coarsening, Collate, Utterances
from nni_emodarts.data.corpora.synthetic import ensure_corpus
from nni_emodarts.data.facts import CorpusFacts
from nni_emodarts.data.features import FeatureStore, Normalizers, fill_store
from nni_emodarts.data.front_ends import FrontEndFacts, front_end_facts, stream_shape
from nni_emodarts.data.heard import stream_extractor
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.protocols import Fold, make_fold
from nni_emodarts.errors import BadRecordings, ConfigError, RunFolderError
from nni_emodarts.runtime.cache import default_cache
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import CORPUS, SKIPPED, RunFolder

FRONT_ENDS = "front_ends"
"""Key of corpus.json: what each pretrained encoder is that was heard with, its licence and digest."""


@dataclass(frozen=True)
class Corpus:
    """A manifest with the features of its utterances.

    Attributes:
        manifest: the utterances that can be used.
        store: their features.
        protocol: how they are divided.
        input_shape: (C, F) of their maps; (L, D), levels and features, of those of a pretrained stream.
        skipped: file, start and end where the manifest has any, and reason of each utterance that was left out.
        coarsening: how their resolution is lowered, where it is.
        deltas: orders of deltas that are channels of their maps.
        pretrained: whether their maps are of a pretrained stream.
        level: place of the one level of such a stream that is read; all are where absent.
        front_ends: the pretrained encoders that their maps come from.
    """

    manifest: Manifest
    store: FeatureStore
    protocol: str
    input_shape: tuple[int, int]
    skipped: pd.DataFrame
    coarsening: Coarsening | None = None
    deltas: int = 0
    pretrained: bool = False
    level: int | None = None
    front_ends: tuple[FrontEndFacts, ...] = ()

    @property
    def recordings(self) -> str:
        """A short digest of what was recorded, row by row; that of the manifest knows the files' names alone."""
        return sha256("".join(self.store.digests).encode()).hexdigest()[:12]

    @cached_property
    def facts(self) -> CorpusFacts:
        """What a model card tells of it; folders of recordings are looked through for it, once for all networks."""
        return CorpusFacts.of(self.manifest)

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.manifest.classes)

    @property
    def frequency_bins(self) -> int:
        """Height F of a map."""
        return self.input_shape[1]

    @property
    def collate(self) -> Collate:
        """How utterances become a batch of its maps."""
        return Collate(self.frequency_bins, self.deltas, self.levels_read)

    @property
    def levels_read(self) -> int:
        """Levels of a pretrained stream that its maps hold; 0 of a spectral one."""
        return (self.input_shape[0] if self.level is None else 1) if self.pretrained else 0

    @property
    def _part(self) -> slice:
        """Feature rows that are read."""
        features = self.input_shape[1]
        return slice(None) if self.level is None else slice(self.level * features, (self.level + 1) * features)

    def fold(self, index: int) -> Fold:
        """A fold of the corpus's protocol."""
        return make_fold(self.manifest, self.protocol, index)

    def speakers(self, rows: np.ndarray) -> list[str]:
        """Sorted known speakers of rows."""
        return sorted(set(self.manifest.table["speaker"].iloc[rows]) - {""})

    def utterances(self, rows: np.ndarray, normalizers: Normalizers, augment: Augment | None = None) -> Utterances:
        """Rows as a data set."""
        labels = self.manifest.labels
        return Utterances(self.store, rows, labels, normalizers, augment, self.coarsening, self._part)

    def coarser(self, factor: int) -> "Corpus":
        """The same corpus at 1 / factor of its frames and bins; features of a pretrained stream are no bins."""
        channels, bins = self.input_shape
        if factor == 1:
            return self
        if self.pretrained:
            return replace(self, coarsening=Coarsening(0, factor))
        return replace(self, input_shape=(channels, -(-bins // factor)), coarsening=Coarsening(bins, factor))


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
    path = ensure_corpus(cache_root(data)) if data.manifest == SYNTHETIC else data.manifest
    return read_manifest(path, data.emotions, data.merge)


def cache_root(data: DataConfig) -> Path:
    """Folder of the feature stores that a configuration names."""
    return default_cache() if data.cache is None else Path(data.cache)


def load_corpus(config: ExperimentConfig, manifest: Manifest | None = None, progress: Progress = silent) -> Corpus:
    """Read the manifest and extract what the feature store does not hold yet.

    Folds are made of what this returns: with `bad_audio: skip` its manifest is without the recordings that cannot be
    used, in every process alike, since only the recordings decide.

    Raises:
        BadRecordings: recordings that cannot be used, or, where they are skipped, none that can.
    """
    data, features = config.data, config.features
    manifest = manifest or load_manifest(data)
    stream, *others = features.heard
    if others:
        raise ConfigError(f"features.streams: {len(others) + 1} are named, and one can be heard; name one")
    extractor = stream_extractor(stream, config.device)
    store, reasons = fill_store(manifest, extractor, cache_root(data), data.workers, progress)
    if reasons and data.bad_audio == "refuse":
        raise BadRecordings(reasons, len(manifest), "mend them, or go on without them by --bad-audio skip")
    if len(reasons) == len(manifest):
        raise BadRecordings(reasons, len(manifest), "none is left")
    skipped = _skipped(manifest, reasons)
    if reasons:
        good = np.setdiff1d(np.arange(len(manifest)), list(reasons))
        manifest, store = manifest.pick(good), store.pick(good)
    shape = stream_shape(stream)
    if isinstance(stream, SpectralStream):
        return Corpus(manifest, store, data.protocol, shape, skipped, deltas=stream.deltas)
    front_ends = (front_end_facts(stream),)
    return Corpus(manifest, store, data.protocol, shape, skipped, pretrained=True, front_ends=front_ends)


def note_corpus(corpus: Corpus, bad_audio: str, folder: RunFolder) -> None:
    """Write what a run is computed from, and which recordings it goes without where it may; as it goes on, the same.

    What its networks' cards tell of the corpus is kept, too: they may be written where the recordings are not.

    Raises:
        RunFolderError: the folder's run is of another manifest, whose folds are others, or of other recordings.
    """
    identity = {"manifest": corpus.manifest.digest, "recordings": corpus.recordings, "protocol": corpus.protocol}
    held = folder.read_json(CORPUS) if folder.has(CORPUS) else identity
    if any(held.get(name, value) != value for name, value in identity.items()):
        raise RunFolderError(
            f"output folder {folder.path} holds a run of another manifest or protocol, or of recordings that were "
            f"replaced, mended or skipped since ({CORPUS}); {folder.remedy}"
        )
    front_ends = [facts.provenance() for facts in corpus.front_ends]
    heard = {FRONT_ENDS: front_ends} if front_ends else {}
    folder.write_json(CORPUS, {**identity, **corpus.facts.to_dict(), **heard})
    if bad_audio == "skip":
        folder.write_csv(SKIPPED, corpus.skipped)


def _skipped(manifest: Manifest, reasons: Mapping[int, str]) -> pd.DataFrame:
    """File, as the manifest names it, and reason of each row that is left out."""
    names, files = manifest.names, manifest.table["file"]
    rows = sorted(reasons)
    table = manifest.table.iloc[rows][["start", "end"]].dropna(axis=1, how="all")
    table.insert(0, "file", np.array(names, dtype=object)[rows])
    return table.assign(reason=[reasons[row].removeprefix(f"{files[row]}: ") for row in rows])
