"""Utterances that are heard by several streams at once: one item, the maps of each."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from nni_emodarts.data.batches.batches import Batch, Collate, JointItem, Measured, Utterances, answers

JointAugment = Callable[[Sequence[Tensor]], list[Tensor]]
"""Changes the features (R, T) that an utterance has in each stream, all of them alike, each time it is read."""


class JointUtterances(Measured):
    """The same utterances in several streams, each normalised by itself and, for training, augmented together.

    Args:
        streams: the utterances in each stream, not augmented.
        labels: classes of the whole manifest (n,).
        augment: changes the features of an utterance.
    """

    def __init__(self, streams: Sequence[Utterances], labels: np.ndarray, augment: JointAugment | None = None) -> None:
        self.lengths = streams[0].lengths
        self._rows = streams[0].rows
        self._streams = tuple(streams)
        self._labels = labels
        self._augment = augment

    def __getitem__(self, position: int) -> JointItem:
        read = [stream.read(position) for stream in self._streams]
        changed = read if self._augment is None else self._augment(read)
        features = (stream.coarsened(each) for stream, each in zip(self._streams, changed, strict=True))
        row = int(self._rows[position])
        return JointItem(tuple(features), int(self._labels[row]), row)

    def forget(self) -> None:
        """Let go of the features of all streams."""
        for stream in self._streams:
            stream.forget()


class JointCollate:
    """Items -> batch: the maps of each stream, padded by themselves.

    Args:
        streams: what makes the maps of each.
    """

    def __init__(self, streams: Sequence[Collate]) -> None:
        self._streams = tuple(streams)

    def __call__(self, items: Sequence[JointItem]) -> Batch:
        """N items -> maps (N, C, F, T) of each stream with T its longest length, lengths (N, streams)."""
        padded = [collate.pad([item.features[place] for item in items]) for place, collate in enumerate(self._streams)]
        lengths = torch.stack([own for _, own in padded], 1)
        return Batch(tuple(maps for maps, _ in padded), lengths, *answers(items))
