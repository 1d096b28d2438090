"""What a search, a retraining and a cell of a benchmark work on: one fold of a corpus, with one seed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.batches import AnyItem, Augment, JointAugment, Measured, evaluation_loader, training_loader
from nni_emodarts.data.corpus import Corpus, note_corpus
from nni_emodarts.data.enrolment import (
    ALL,
    Choose,
    Enrolled,
    Enrolment,
    RandomSubsets,
    Voices,
    enrolments,
    neutral_emotion,
)
from nni_emodarts.data.features import Normalizer, Normalizers, SpeakerNormalizer
from nni_emodarts.data.halves import halves
from nni_emodarts.data.joined import corpora_of
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.data.overlap import find_overlap, fingerprint
from nni_emodarts.data.protocols import Fold, Rows
from nni_emodarts.data.unfit import refuse_unfit
from nni_emodarts.metrics.headline import HEADLINES, Headline
from nni_emodarts.metrics.truth import Truth
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.run_folder import RunFolder


@dataclass(frozen=True)
class FoldTask:
    """One fold of a corpus, with one seed, under one configuration.

    Attributes:
        config: the whole configuration.
        corpus: manifest and features.
        fold: the fold; a network is trained without validation where its validation part is empty.
        seed: seed of everything random.
        fitted: what normalises rows, where these are of another corpus than the network's.
        meaning: what the network's outputs mean, likewise.
    """

    config: ExperimentConfig
    corpus: Corpus
    fold: Fold
    seed: int
    fitted: Normalizer | SpeakerNormalizer | None = None
    meaning: Outputs | None = None

    @classmethod
    def of(cls, config: ExperimentConfig, corpus: Corpus, fold: int, seed: int) -> "FoldTask":
        """The task of a fold's number.

        Raises:
            ProtocolError: the corpus's protocol has no such fold.
            UnfitSpeakers: its training speakers are to be normalised by speaker, and too many are unfit for it.
        """
        part = corpus.fold(fold)
        refuse_unfit(config, corpus.manifest, [part])
        return cls(config, corpus, part, seed)

    @classmethod
    def of_all(cls, config: ExperimentConfig, corpus: Corpus, seed: int) -> "FoldTask":
        """The task of the network to ship: it learns from every row, and nothing is left to measure it on."""
        none = np.empty(0, dtype=np.int64)
        return cls(config, corpus, Fold(0, 1, np.arange(len(corpus.manifest)), none, none), seed)

    def elsewhere(self, corpus: Corpus, fitted: Normalizer | SpeakerNormalizer | None = None) -> "FoldTask":
        """The task of answering all rows of another corpus with a network of this one.

        Args:
            corpus: the other corpus, in the network's terms; answers are brought to its scale.
            fitted: what normalises rows for the network; None where its features need nothing.
        """
        none = np.empty(0, dtype=np.int64)
        fold = replace(self.fold, train=none, validation=none, test=np.arange(len(corpus.manifest)))
        meaning = self.outputs.brought(self.corpus.manifest.scale, corpus.manifest.scale)
        return replace(self, corpus=corpus, fold=fold, fitted=fitted, meaning=meaning)

    @property
    def learnt(self) -> JsonObject:
        """Whom a network of the task learns from, be it by validation: what an origin says of a search."""
        return fingerprint(self.corpus, np.concatenate([self.fold.train, self.fold.validation]))

    def under(self, config: ExperimentConfig) -> "FoldTask":
        """The same fold and seed under another configuration."""
        return replace(self, config=config)

    def coarser(self) -> "FoldTask":
        """The same task at the resolution of a search."""
        return replace(self, corpus=self.corpus.coarser(self.config.search.coarseness))

    def hearing(self, levels: Mapping[str, Sequence[int]], names: Collection[str] = ()) -> "FoldTask":
        """The same task, of which that alone is read that a network hears.

        Args:
            levels: the level of each pretrained stream, or several, as an architecture has them.
            names: names of the streams; all where there are none.
        """
        places = {
            stream.name: stream.places(levels[stream.name])
            for stream in self.config.space.hears
            if stream.name in levels
        }
        if not places and len(self.corpus.streams) == 1:
            return self
        if len(self.corpus.streams) == 1:  # which need not know its name
            return replace(self, corpus=replace(self.corpus, places=next(iter(places.values()))))
        return replace(self, corpus=self.corpus.hearing(names, places))

    def without_validation(self) -> "FoldTask":
        """The same task with its validation part among the rows to learn from."""
        fold = self.fold
        rows = np.concatenate([fold.train, fold.validation])
        return replace(self, fold=replace(fold, train=rows, validation=np.empty(0, dtype=np.int64)))

    @property
    def validates(self) -> bool:
        """Whether there is a validation part."""
        return len(self.fold.validation) > 0

    @cached_property
    def normalizer(self) -> Normalizer | SpeakerNormalizer:
        """Fitted on the training part alone; of several streams, each by itself, with their rows one after another."""
        if self.fitted is not None:
            return self.fitted
        streams, train = self.corpus.streams, self.fold.train
        if not self.config.speaker_adapted:
            return Normalizer.beside([Normalizer.fit(each.store, train) for each in streams])
        speakers = self.voices.numbers[train]
        return SpeakerNormalizer.beside(
            [SpeakerNormalizer.fit(each.store.moments(train), speakers) for each in streams]
        )

    @cached_property
    def voices(self) -> Voices:
        """Who else speaks as the speaker of a row does."""
        return Voices(self.corpus.manifest, self.corpus.store)

    @property
    def enrolments(self) -> tuple[Enrolment, ...]:
        """What the test part is measured with besides all of a speaker's other recordings; nothing without them."""
        return enrolments(self.neutral) if self.config.speaker_adapted else ()

    @property
    def neutral(self) -> str | None:
        """The class that is neutral speech, where there is one."""
        return neutral_emotion(self.corpus.manifest.classes, self.config.features.neutral)

    def enrolled(self, rows: Rows, enrolment: Enrolment) -> Rows:
        """Number of other recordings of its speaker that each of the rows is normalised by."""
        return np.array([len(enrolment.choose(self.voices, int(row), self.seed)) for row in rows], dtype=np.int64)

    def drawing(self, stream: int = 0, epoch: Callable[[], int] | None = None, place: int = 0) -> Normalizers:
        """What normalises rows to learn from: by speaker, random other recordings, drawn anew each time.

        Args:
            stream: sets the draws apart from others of the same task.
            epoch: tells the current epoch, which then decides the draws by itself.
            place: of a stream of features; all of them have the same draws.
        """
        return self._normalizers(lambda voices: RandomSubsets(voices, self.neutral, self.seed + stream, epoch), place)

    def enrolling(self, enrolment: Enrolment, place: int = 0) -> Normalizers:
        """What normalises rows to answer: by speaker, an enrolment; `place` as for `drawing`."""
        return self._normalizers(lambda voices: lambda row: enrolment.choose(voices, row, self.seed), place)

    def _normalizers(self, make: Callable[[Voices], Choose], place: int = 0) -> Normalizers:
        """What normalises rows; where it is their speakers' others, by those that `make` gives the choice of."""
        stream, statistics = self.corpus.streams[place], self.normalizer
        if self.corpus.beside:
            before = sum(each.feature_rows for each in self.corpus.streams[:place])
            statistics = statistics.part(slice(before, before + stream.feature_rows))
        if isinstance(statistics, Normalizer):
            return statistics
        return Enrolled(statistics, stream.store, make(self.voices))

    @cached_property
    def outputs(self) -> Outputs:
        """What the outputs of its networks mean; a scale that is stated nowhere is that of the training part.

        Raises:
            ProtocolError: there is nothing to learn of a dimension in the training part.
        """
        return self.meaning or Outputs.of(self.corpus.manifest, self.fold.train)

    @property
    def headline(self) -> Headline:
        """The figure by which its networks are chosen."""
        return HEADLINES[self.config.data.task]

    def truth(self, rows: Rows) -> Truth:
        """What is true of rows, in the rows' order."""
        manifest = self.corpus.manifest
        shares = None if self.shares is None else self.shares[rows]
        return Truth(manifest.labels[rows], len(manifest.classes), manifest.values[rows], shares)

    def halves(self) -> tuple[Rows, Rows]:
        """The training part divided for a search: one half fits weights, the other alphas."""
        return halves(self.corpus.manifest, self.fold.train, self.seed)

    def labels(self, rows: Rows) -> Rows:
        """Numbers of the classes of rows, in the rows' order; -1 where annotators did not agree."""
        return self.corpus.manifest.labels[rows]

    @cached_property
    def shares(self) -> npt.NDArray[np.float64] | None:
        """(n, K) distributions of votes by row of the manifest, where they are the targets, and it has any."""
        manifest = self.corpus.manifest
        return manifest.shares if self.config.retrain.targets == "votes" and manifest.votes is not None else None

    def training_batches(
        self,
        rows: Rows,
        batch_size: int,
        *,
        augment: Augment | None = None,
        alike: JointAugment | None = None,
        stream: int = 0,
        most: int | None = None,
        epoch: Callable[[], int] | None = None,
    ) -> DataLoader[AnyItem]:
        """Batches of rows of like length, in a new order each epoch.

        Args:
            rows: what to learn from.
            batch_size: utterances of a batch.
            augment: what is done to each utterance's features.
            alike: likewise, of several streams.
            stream: sets the order apart from that of another loader of the same task.
            most: batches of an epoch at most.
            epoch: tells the current epoch, which then decides the order by itself.
        """
        if self.corpus.beside:
            normalizers = [self.drawing(stream, epoch, place) for place in range(len(self.corpus.streams))]
            utterances: Measured = self.corpus.joint_utterances(rows, normalizers, alike)
        else:
            utterances = self.corpus.utterances(rows, self.drawing(stream, epoch), augment)
        corpora = corpora_of(self.corpus.manifest, rows)
        return training_loader(utterances, self.corpus.collate, batch_size, self.seed + stream, most, epoch, corpora)

    def evaluation_batches(self, rows: Rows, batch_size: int, by: Enrolment | int = ALL) -> DataLoader[AnyItem]:
        """Batches of rows, each row once.

        Args:
            rows: what to answer.
            batch_size: utterances of a batch.
            by: which other recordings of its speaker each row is normalised by, where it is; or the number of a draw
                of random ones, where rows are learnt from.
        """

        def normalizers(place: int) -> Normalizers:
            return self.drawing(by, place=place) if isinstance(by, int) else self.enrolling(by, place)

        if self.corpus.beside:
            each = [normalizers(place) for place in range(len(self.corpus.streams))]
            utterances: Measured = self.corpus.joint_utterances(rows, each)
        else:
            utterances = self.corpus.utterances(rows, normalizers(0))
        return evaluation_loader(utterances, self.corpus.collate, batch_size)

    def overlap(self, origin: JsonMapping) -> tuple[str, ...]:
        """The test speakers whom a search saw, as `find_overlap` gives them."""
        return find_overlap(origin, self.corpus, self.fold.test)

    def origin(self, **more: Any) -> JsonObject:
        """What a search notes beside its choices: strategy, seed, fold, and the speakers and recordings that it sees.

        Args:
            more: entries that are added, or that replace those of the configuration.
        """
        search, fixed = self.config.search, self.config.space.fixed
        seen = np.concatenate([self.fold.train, self.fold.validation])
        return {
            "preset": self.config.preset,
            "strategy": search.strategy,
            "options": search.strategy_options().model_dump(mode="json"),
            "epochs": search.epochs,
            "seed": self.seed,
            "protocol": self.corpus.division,
            "fold": self.fold.index,
            **({"fixed": dict(fixed)} if fixed else {}),
            **fingerprint(self.corpus, seen),
            **more,
        }

    def note_corpus(self, folder: RunFolder) -> None:
        """Write what the run in a folder is computed from; see `nni_emodarts.data.corpus.note_corpus`."""
        note_corpus(self.corpus, self.config.data.bad_audio, folder)


def fold_tasks(
    config: ExperimentConfig, corpus: Corpus, folds: Sequence[int], seeds: Sequence[int]
) -> tuple[FoldTask, ...]:
    """A task for each fold and seed, all seeds of a fold together.

    Raises:
        ProtocolError: the corpus's protocol lacks one of the folds.
        UnfitSpeakers: as for `FoldTask.of`.
    """
    parts = [corpus.fold(index) for index in folds]
    refuse_unfit(config, corpus.manifest, parts)
    return tuple(FoldTask(config, corpus, part, seed) for part in parts for seed in seeds)
