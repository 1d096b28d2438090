"""Fold and store -> padded batches with lengths."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from nni_emodarts.data.batches.augmentation import Augment
from nni_emodarts.data.batches.coarsening import Coarsening
from nni_emodarts.data.batches.maps import Maps, to_levels, to_maps
from nni_emodarts.data.features import FeatureStore, Normalizer, Normalizers
from nni_emodarts.data.features.moments import EVERY_ROW

KEPT_BYTES = 2**26
"""A data set whose normalised features take no more is read once and kept: a small corpus is read many times."""
_POOL = 8  # batches that are drawn together and sorted by length: enough to save padding, few enough to stay random


class Item(NamedTuple):
    """One utterance: features (R, T), class, row of the manifest."""

    features: Tensor
    label: int
    row: int


class JointItem(NamedTuple):
    """One utterance in several streams: features (R, T) in each, class, row of the manifest."""

    features: tuple[Tensor, ...]
    label: int
    row: int


AnyItem = Item | JointItem


class Batch(NamedTuple):
    """Padded utterances: maps (N, C, F, T), or (N, L, D, T) of a pretrained stream, zero behind each length; lengths
    (N,), labels (N,), rows (N,). Of several streams the maps of each, and lengths (N, streams).
    """

    maps: Maps
    lengths: Tensor
    labels: Tensor
    rows: Tensor

    def heard(self, device: torch.device) -> tuple[Maps, Tensor]:
        """What a network on a device takes: maps and lengths."""
        if isinstance(self.maps, tuple):
            return tuple(each.to(device) for each in self.maps), self.lengths.to(device)
        return self.maps.to(device), self.lengths.to(device)


class Measured(Dataset[AnyItem]):
    """Utterances whose lengths are known.

    Attributes:
        lengths: (n,) frames of each; of several streams, in the first.
    """

    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def forget(self) -> None:
        """Let go of features that are kept in memory; they are read again where they are wanted."""


class Utterances(Measured):
    """Rows of a feature store, normalised and, for training, augmented."""

    def __init__(
        self,
        store: FeatureStore,
        rows: Sequence[int] | np.ndarray,
        labels: np.ndarray,
        normalizers: Normalizers,
        augment: Augment | None = None,
        coarsening: Coarsening | None = None,
        part: slice = EVERY_ROW,
    ) -> None:
        """Choose utterances.

        Args:
            store: features of the whole manifest.
            rows: the manifest's rows that belong here.
            labels: classes of the whole manifest (n,).
            normalizers: of each row.
            augment: changes the features (R, T) of an utterance each time it is read.
            coarsening: lowers their resolution afterwards.
            part: feature rows that are read.
        """
        self.rows = np.asarray(rows)
        lengths = store.lengths[self.rows]
        self.lengths = lengths if coarsening is None else coarsening.lengths(lengths)
        self._store = store
        self._labels = labels
        self._normalizers = normalizers
        self._part = part
        self._augment = augment
        self._coarsening = coarsening
        count = len(range(store.shelf.feature_rows)[part])
        small = 4 * count * int(store.lengths[self.rows].sum()) <= KEPT_BYTES
        # Other normalisers may be drawn anew each time.
        self._kept: dict[int, Tensor] | None = {} if small and isinstance(normalizers, Normalizer) else None

    def __getitem__(self, position: int) -> Item:
        row, features = int(self.rows[position]), self.read(position)
        if self._augment is not None:
            features = self._augment(features)
        return Item(self.coarsened(features), int(self._labels[row]), row)

    def read(self, position: int) -> Tensor:
        """Normalised features (R, T) of an utterance, as they are without augmentation and at full resolution.

        They may be kept, and are not to be changed.
        """
        if self._kept is None:
            return self._read(position)
        if position not in self._kept:
            self._kept[position] = self._read(position)
        return self._kept[position]

    def _read(self, position: int) -> Tensor:
        row = int(self.rows[position])
        normalizer = self._normalizers.for_row(row, self._part)
        return torch.from_numpy(normalizer(self._store[row][self._part]))

    def forget(self) -> None:
        """Let go of the features."""
        if self._kept is not None:
            self._kept.clear()

    def coarsened(self, features: Tensor) -> Tensor:
        """Features (R, T) at the resolution that is asked for."""
        return features if self._coarsening is None else self._coarsening(features)


class LengthBatches(Sampler[list[int]]):
    """Batches of utterances of like length, drawn anew each epoch, so that short clips do not pay for long ones."""

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        seed: int,
        most: int | None = None,
        epoch: Callable[[], int] | None = None,
    ) -> None:
        """Set how to draw.

        Args:
            lengths: frames of each utterance (n,).
            batch_size: utterances of a batch.
            seed: seed of the order.
            most: batches of an epoch at most.
            epoch: tells the current epoch, which then decides the order by itself, so that training that goes on
                after an interruption sees the order that it would have seen.
        """
        self._lengths = lengths
        self._batch_size = batch_size
        self._count = min(-(-len(lengths) // batch_size), most or len(lengths))
        self._seed = seed
        self._epoch = epoch
        self._pass = (-1, 0)
        self._generator = np.random.default_rng(seed)

    def __len__(self) -> int:
        return self._count

    def _next_generator(self) -> np.random.Generator:
        if self._epoch is None:
            return self._generator
        epoch, number = self._epoch(), 0
        if epoch == self._pass[0]:
            number = self._pass[1] + 1  # a shorter loader goes round again within an epoch
        self._pass = epoch, number
        return np.random.default_rng([self._seed, epoch, number])

    def __iter__(self) -> Iterator[list[int]]:
        generator = self._next_generator()
        order = generator.permutation(len(self._lengths))
        pool = _POOL * self._batch_size
        batches: list[np.ndarray] = []
        for start in range(0, len(order), pool):
            drawn = order[start : start + pool]
            ranked = drawn[np.argsort(self._lengths[drawn], kind="stable")]
            batches += [ranked[first : first + self._batch_size] for first in range(0, len(ranked), self._batch_size)]
        for position in generator.permutation(len(batches))[: self._count]:
            yield batches[position].tolist()


class BalancedBatches(LengthBatches):
    """Batches that hold as many utterances of each corpus, each drawn by length within its own.

    An epoch hears the largest corpus once, for its share of a batch; smaller ones start over, in a new order.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        corpora: np.ndarray,
        batch_size: int,
        seed: int,
        most: int | None = None,
        epoch: Callable[[], int] | None = None,
    ) -> None:
        """Set how to draw.

        Args:
            lengths: frames of each utterance (n,).
            corpora: number of each utterance's corpus (n,).
            batch_size: utterances of a batch; at least one of each corpus.
            seed: as for `LengthBatches`, like `most` and `epoch`.
            most: likewise.
            epoch: likewise.
        """
        super().__init__(lengths, batch_size, seed, most, epoch)
        self._members = [np.flatnonzero(corpora == number) for number in np.unique(corpora)]
        share, more = divmod(batch_size, len(self._members))
        self._shares = [max(share + (place < more), 1) for place in range(len(self._members))]
        whole = max(-(-len(own) // size) for own, size in zip(self._members, self._shares, strict=True))
        self._count = min(whole, most or whole)

    def __iter__(self) -> Iterator[list[int]]:
        generator = self._next_generator()
        drawn = [self._draw(own, size, generator) for own, size in zip(self._members, self._shares, strict=True)]
        for number in generator.permutation(self._count):
            yield np.concatenate([parts[number] for parts in drawn]).tolist()

    def _draw(self, own: np.ndarray, size: int, generator: np.random.Generator) -> list[np.ndarray]:
        """Parts of all batches of an epoch from one corpus, the shortest first, so that like lengths meet."""
        rounds = -(-self._count * size // len(own))
        order = np.concatenate([generator.permutation(own) for _ in range(rounds)])[: self._count * size]
        parts: list[np.ndarray] = []
        pool = _POOL * size
        for start in range(0, len(order), pool):
            ranked = order[start : start + pool]
            ranked = ranked[np.argsort(self._lengths[ranked], kind="stable")]
            parts += [ranked[first : first + size] for first in range(0, len(ranked), size)]
        return sorted(parts, key=lambda part: float(self._lengths[part].mean()))


class Collate:
    """Items -> batch. Channels of a map are its bins, their deltas, and the contours, as `to_maps` makes them.

    Of a pretrained stream they are its levels.
    """

    def __init__(self, frequency_bins: int, deltas: int = 0, levels: int = 0) -> None:
        """Set what rows are.

        Args:
            frequency_bins: number of rows that are bins.
            deltas: orders of their deltas.
            levels: L of a pretrained stream, whose rows have neither; 0 of a spectral one.
        """
        self._bins = frequency_bins
        self._deltas = deltas
        self._levels = levels

    def __call__(self, items: Sequence[Item]) -> Batch:
        """N items -> maps (N, C, F, T) with T the longest length."""
        return Batch(*self.pad([item.features for item in items]), *answers(items))

    def pad(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Features (R, T) of N utterances -> maps (N, C, F, T) with T the longest length, lengths (N,)."""
        maps = [self._maps(each[None])[0] for each in features]
        lengths = torch.tensor([each.shape[-1] for each in maps])
        padded = torch.zeros(len(maps), *maps[0].shape[:-1], int(lengths.max()))
        for number, each in enumerate(maps):
            padded[number, ..., : each.shape[-1]] = each
        return padded, lengths

    def _maps(self, rows: Tensor) -> Tensor:
        return to_levels(rows, self._levels) if self._levels else to_maps(rows, self._bins, self._deltas)


def answers(items: Sequence[AnyItem]) -> tuple[Tensor, Tensor]:
    """Classes (N,) and rows of the manifest (N,) of items."""
    return torch.tensor([item.label for item in items]), torch.tensor([item.row for item in items])


def training_loader(
    utterances: Measured,
    collate: Callable[..., Batch],
    batch_size: int,
    seed: int,
    most: int | None = None,
    epoch: Callable[[], int] | None = None,
    corpora: np.ndarray | None = None,
) -> DataLoader[AnyItem]:
    """Batches by length, in a new order each epoch, as `LengthBatches` draws them; of several corpora balanced.

    Args:
        utterances: what to learn from.
        collate: how items become a batch.
        batch_size: utterances of a batch.
        seed: of the order.
        most: batches of an epoch at most.
        epoch: tells the current epoch.
        corpora: number of each utterance's corpus (n,), where they are of several.
    """
    batches = (
        LengthBatches(utterances.lengths, batch_size, seed, most, epoch)
        if corpora is None or len(np.unique(corpora)) < 2
        else BalancedBatches(utterances.lengths, corpora, batch_size, seed, most, epoch)
    )
    return DataLoader(utterances, batch_sampler=batches, collate_fn=collate)


def evaluation_loader(utterances: Measured, collate: Callable[..., Batch], batch_size: int) -> DataLoader[AnyItem]:
    """Every utterance once, shortest first."""
    order = np.argsort(utterances.lengths, kind="stable")
    batches = [order[start : start + batch_size].tolist() for start in range(0, len(order), batch_size)]
    return DataLoader(utterances, batch_sampler=batches, collate_fn=collate)
