"""Configuration -> the corpus with its features, ready to be divided."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from nni_emodarts.config import (
    FUNCTIONALS,
    SYNTHETIC,
    DataConfig,
    ExperimentConfig,
    InputShape,
    PretrainedStream,
    Shape,
    SpectralStream,
)
from nni_emodarts.data.batches import (
    Augment,
    Coarsening,
    Collate,
    JointAugment,
    JointCollate,
    JointUtterances,
    Measured,
    Utterances,
)
from nni_emodarts.data.corpora.synthetic import ensure_corpus
from nni_emodarts.data.dimensions import Wanted
from nni_emodarts.data.facts import CorpusFacts
from nni_emodarts.data.features import FeatureStore, Functionals, Normalizers, fill_store
from nni_emodarts.data.features.extractor import Extractor
from nni_emodarts.data.fold_lists import attached
from nni_emodarts.data.front_ends import FrontEndFacts, front_end_facts, stream_shape
from nni_emodarts.data.heard import stream_extractor
from nni_emodarts.data.joined import join_manifests, refuse_copies
from nni_emodarts.data.manifest import Manifest, read_chosen
from nni_emodarts.data.picking import Choice
from nni_emodarts.data.protocols import Fold, make_fold
from nni_emodarts.data.votes import digest_of, for_classes
from nni_emodarts.errors import BadRecordings, ConfigError, ManifestError, RunFolderError
from nni_emodarts.runtime.cache import default_cache
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import CORPUS, SKIPPED, RunFolder

LEARNT = "learnt"
"""Key of a network's corpus.json: manifest, speakers and a few recordings of each that it learnt from."""
FRONT_ENDS = "front_ends"
"""Key of corpus.json: what each pretrained encoder is that was heard with, its licence and digest."""


@dataclass(frozen=True)
class Corpus:
    """A manifest with the features of its utterances.

    Of several streams it has those of the first, and a corpus of each further one beside.

    Attributes:
        manifest: the utterances that can be used.
        store: their features.
        protocol: how they are divided.
        input_shape: (C, F) of their maps; (L, D), levels and features, of those of a pretrained stream.
        skipped: file, start and end where the manifest has any, and reason of each utterance that was left out.
        coarsening: how their resolution is lowered, where it is.
        deltas: orders of deltas that are channels of their maps.
        pretrained: whether their maps are of a pretrained stream.
        places: of the levels of such a stream that are read; all are where absent.
        front_end: the pretrained encoder that their maps come from.
        name: of the stream.
        beside: the same utterances in further streams.
    """

    manifest: Manifest
    store: FeatureStore
    protocol: str
    input_shape: Shape
    skipped: pd.DataFrame
    coarsening: Coarsening | None = None
    deltas: int = 0
    pretrained: bool = False
    places: range | None = None
    front_end: FrontEndFacts | None = None
    name: str = ""
    beside: tuple["Corpus", ...] = ()

    @property
    def streams(self) -> tuple["Corpus", ...]:
        """The utterances in each stream by itself."""
        return (replace(self, beside=()), *self.beside)

    @property
    def shapes(self) -> InputShape:
        """What networks are built for: `input_shape`, or that of each of several streams, by name."""
        return {each.name: each.input_shape for each in self.streams} if self.beside else self.input_shape

    @property
    def front_ends(self) -> tuple[FrontEndFacts, ...]:
        """The pretrained encoders that their maps come from."""
        return tuple(each.front_end for each in self.streams if each.front_end is not None)

    @property
    def recordings(self) -> str:
        """A short digest of what was recorded, row by row; that of the manifest knows the files' names alone."""
        return sha256("".join(self.store.digests).encode()).hexdigest()[:12]

    @cached_property
    def facts(self) -> CorpusFacts:
        """What a model card tells of it; folders of recordings are looked through for it, once for all networks."""
        return CorpusFacts.of(self.manifest)

    @property
    def division(self) -> str:
        """What divides it: the protocol, of a list of folds its digest."""
        return self.protocol if self.manifest.folds is None else self.manifest.folds.identity

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.manifest.classes)

    @property
    def num_outputs(self) -> int:
        """Number of outputs of its networks: classes K, then dimensions D."""
        return len(self.manifest.classes) + len(self.manifest.dimensions)

    @property
    def frequency_bins(self) -> int:
        """Height F of a map."""
        return self.input_shape[1]

    @property
    def whole_bins(self) -> int:
        """Height F of a map whose resolution is not lowered; features D of a pretrained stream."""
        lowered = None if self.coarsening is None or self.pretrained else self.coarsening
        return self.frequency_bins if lowered is None else lowered.frequency_bins

    @property
    def feature_rows(self) -> int:
        """Rows R of the features of the first stream: bins and contours, or levels times features."""
        channels = self.input_shape[0]
        if self.pretrained:
            return channels * self.frequency_bins
        return self.whole_bins + channels - 1 - self.deltas

    @property
    def collate(self) -> Collate | JointCollate:
        """How utterances become a batch of its maps."""
        if self.beside:
            return JointCollate([each.own_collate for each in self.streams])
        return self.own_collate

    @property
    def own_collate(self) -> Collate:
        """How utterances become maps of the first stream."""
        return Collate(self.frequency_bins, self.deltas, self.levels_read)

    @property
    def levels_read(self) -> int:
        """Levels of a pretrained stream that its maps hold; 0 of a spectral one."""
        return (self.input_shape[0] if self.places is None else len(self.places)) if self.pretrained else 0

    @property
    def _part(self) -> slice:
        """Feature rows that are read."""
        features = self.input_shape[1]
        return slice(None) if self.places is None else slice(self.places.start * features, self.places.stop * features)

    def fold(self, index: int) -> Fold:
        """A fold of the corpus's protocol."""
        return make_fold(self.manifest, self.protocol, index)

    def speakers(self, rows: np.ndarray) -> list[str]:
        """Sorted known speakers of rows."""
        return sorted(set(self.manifest.table["speaker"].iloc[rows]) - {""})

    def utterances(self, rows: np.ndarray, normalizers: Normalizers, augment: Augment | None = None) -> Utterances:
        """Rows as a data set of the first stream."""
        labels = self.manifest.labels
        return Utterances(self.store, rows, labels, normalizers, augment, self.coarsening, self._part)

    def joint_utterances(
        self, rows: np.ndarray, normalizers: Sequence[Normalizers], augment: JointAugment | None = None
    ) -> Measured:
        """Rows as a data set of all streams, with what normalises each."""
        streams = [each.utterances(rows, own) for each, own in zip(self.streams, normalizers, strict=True)]
        return JointUtterances(streams, self.manifest.labels, augment)

    def hearing(self, names: Collection[str], places: Mapping[str, range]) -> "Corpus":
        """The same corpus in some of its streams.

        Args:
            names: their names; none means all.
            places: stream -> those of its levels that are read.
        """
        kept = [each for each in self.streams if not names or each.name in (*names, FUNCTIONALS)]
        first, *others = [replace(each, places=places.get(each.name, each.places)) for each in kept]
        return replace(first, beside=tuple(others))

    def coarser(self, factor: int) -> "Corpus":
        """The same corpus at 1 / factor of its frames and bins; features of a pretrained stream are no bins."""
        channels, bins = self.input_shape
        if factor == 1 or self.name == FUNCTIONALS:
            return self
        if self.beside:
            first, *others = [each.coarser(factor) for each in self.streams]
            return replace(first, beside=tuple(others))
        if self.pretrained:
            return replace(self, coarsening=Coarsening(0, factor))
        return replace(self, input_shape=(channels, -(-bins // factor)), coarsening=Coarsening(bins, factor))


def load_manifest(config: ExperimentConfig) -> Manifest:
    """The manifest that a configuration names; the embedded corpus is made where it is not there yet.

    Where votes are the targets, it holds the utterances without a majority as well, and its digest knows the votes.

    Raises:
        ConfigError: none is named.
        ManifestError: it cannot be used, or holds no votes to learn from.
        ProtocolError: the list of folds that the protocol names cannot be used.
    """
    data, votes = config.data, config.retrain.targets == "votes"
    if not data.manifests:
        raise ConfigError(
            f"data.manifest is missing; give --manifest FILE.csv, or --manifest {SYNTHETIC} for the embedded corpus"
        )
    paths = manifest_paths(data.manifests, data)
    choice = Choice(data.emotions, data.merge, wanted_dimensions(data), undecided=votes)
    manifest = join_manifests(paths, data.classes, choice) if len(paths) > 1 else read_chosen(paths[0], choice)
    if votes and (manifest.votes is None or not for_classes(manifest.votes, manifest.classes).to_numpy().any()):
        raise ManifestError(
            f"retrain.targets: votes, but manifest {' and '.join(paths)} holds none for its classes "
            f"({', '.join(manifest.classes)}); add a column votes, or vote_anger "
            f"and so on, or set it to majority"
        )
    if votes and manifest.votes is not None:
        manifest = replace(manifest, digest=digest_of(manifest.digest, manifest.votes))
    return attached(manifest, data)


def manifest_paths(names: Iterable[str | Path], data: DataConfig) -> list[str]:
    """Manifests by their paths; the embedded corpus is made where it is not there yet."""
    return [str(ensure_corpus(cache_root(data))) if str(each) == SYNTHETIC else str(each) for each in names]


def refuse_dimensions(data: DataConfig, what: str) -> None:
    """Refuse a configuration that learns dimensions, for what knows emotions alone.

    Args:
        data: the section.
        what: knows emotions alone, such as `an ensemble`.

    Raises:
        ConfigError: it learns dimensions.
    """
    if data.learns_dimensions:
        raise ConfigError(
            f"data.task: {what} is of emotions alone, and task {data.task} learns dimensions; set it to emotion"
        )


def wanted_dimensions(data: DataConfig) -> Wanted | None:
    """The dimensions that a configuration asks for."""
    if not data.learns_dimensions:
        return None
    return Wanted(data.targets or (), data.scale, alone=not data.learns_classes)


def cache_root(data: DataConfig) -> Path:
    """Folder of the feature stores that a configuration names."""
    return default_cache() if data.cache is None else Path(data.cache)


def load_corpus(
    config: ExperimentConfig,
    manifest: Manifest | None = None,
    progress: Progress = silent,
    heard: Collection[str] = (),
) -> Corpus:
    """Read the manifest and extract what the feature store does not hold yet, stream by stream.

    Folds are made of what this returns: with `bad_audio: skip` its manifest is without the recordings that cannot be
    used, in every process alike, since only the recordings decide.

    Args:
        config: the whole configuration.
        manifest: the manifest, where it is read already.
        progress: called as recordings are hashed and features extracted.
        heard: names of the streams that are wanted; all where there are none.

    Raises:
        BadRecordings: recordings that cannot be used, or, where they are skipped, none that can.
        ManifestError: two of several manifests hold the same recording.
    """
    data = config.data
    manifest = manifest or load_manifest(config)
    streams = _streams(config, heard)
    stores: list[FeatureStore] = []
    reasons: dict[int, str] = {}
    extractors = extractors_of(config, heard)
    for extractor in extractors:
        store, faults = fill_store(manifest, extractor, cache_root(data), data.workers, progress)
        stores.append(store)
        reasons = {**faults, **reasons}
    if reasons and data.bad_audio == "refuse":
        raise BadRecordings(reasons, len(manifest), "mend them, or go on without them by --bad-audio skip")
    if len(reasons) == len(manifest):
        raise BadRecordings(reasons, len(manifest), "none is left")
    skipped = _skipped(manifest, reasons)
    if reasons:
        good = np.setdiff1d(np.arange(len(manifest)), list(reasons))
        manifest, stores = manifest.pick(good), [store.pick(good) for store in stores]
    refuse_copies(manifest, stores[0].digests)
    first, *others = [
        _in_stream(Corpus(manifest, store, data.protocol, stream_shape(stream), skipped, name=stream.name), stream)
        for stream, store in zip(streams, stores, strict=False)
    ]
    for extractor, store in zip(extractors[len(streams) :], stores[len(streams) :], strict=True):
        shape = 1, extractor.feature_rows
        others.append(Corpus(manifest, store, data.protocol, shape, skipped, name=FUNCTIONALS))
    return replace(first, beside=tuple(others))


def extractors_of(config: ExperimentConfig, heard: Collection[str] = ()) -> list[Extractor]:
    """What makes the features of a corpus: of each stream, then functionals where they join.

    Args:
        config: the whole configuration.
        heard: names of the streams that are wanted; all where there are none.
    """
    found: list[Extractor] = [stream_extractor(stream, config.device) for stream in _streams(config, heard)]
    joined = config.features.functionals
    return found if joined is None else [*found, Functionals(joined)]


def _streams(config: ExperimentConfig, heard: Collection[str]) -> list[SpectralStream | PretrainedStream]:
    return [stream for stream in config.features.heard if not heard or stream.name in heard]


def _in_stream(corpus: Corpus, stream: SpectralStream | PretrainedStream) -> Corpus:
    """A corpus with what is known of its stream."""
    if isinstance(stream, SpectralStream):
        return replace(corpus, deltas=stream.deltas)
    return replace(corpus, pretrained=True, front_end=front_end_facts(stream))


def note_corpus(corpus: Corpus, bad_audio: str, folder: RunFolder) -> None:
    """Write what a run is computed from, and which recordings it goes without where it may; as it goes on, the same.

    What its networks' cards tell of the corpus is kept, too: they may be written where the recordings are not.

    Raises:
        RunFolderError: the folder's run is of another manifest, whose folds are others, or of other recordings.
    """
    identity = {"manifest": corpus.manifest.digest, "recordings": corpus.recordings, "protocol": corpus.division}
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
