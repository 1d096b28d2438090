"""A share of each batch, for one of several processes that train together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader

from nni_emodarts.data.batches.batches import AnyItem, Batch, Measured


class Shares:
    """Of each batch of a loader what one of several processes computes.

    All processes draw the same batches; of the utterances in a batch each takes every n-th, so that shares are of like
    lengths, and of like parts of each corpus where batches are balanced. Of a batch that has fewer utterances than
    there are processes each computes all, which gives the same mean.
    """

    def __init__(self, loader: DataLoader[AnyItem], place: int, processes: int) -> None:
        """Set whose share.

        Args:
            loader: whole batches, drawn alike in each process.
            place: number of the process, from 0.
            processes: number of the processes.
        """
        self._loader = loader
        self._place = place
        self._processes = processes

    @property
    def dataset(self) -> Any:
        """What the batches are made of."""
        return self._loader.dataset

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        whole: Any = self._loader.batch_sampler
        utterances, collate = self._loader.dataset, self._loader.collate_fn
        for positions in whole:
            yield collate([utterances[position] for position in self._own(positions)])

    def _own(self, positions: Sequence[int]) -> Sequence[int]:
        return positions if len(positions) < self._processes else positions[self._place :: self._processes]


def every_nth(loader: DataLoader[AnyItem], place: int, processes: int) -> Iterable[Batch]:
    """Whole batches of an evaluation, of which each process computes every n-th."""
    batches = [*iter(loader.batch_sampler or ())][place::processes]
    return DataLoader(loader.dataset, batch_sampler=batches, collate_fn=loader.collate_fn)


def forget(*loaders: DataLoader[AnyItem] | Shares) -> None:
    """Let go of the features that loaders keep in memory, once a network has been trained with them.

    Its trainer is part of a cycle of references. Python looks for such by the number of objects and not by their bytes,
    so that each of many trainings in a process would leave its features behind.
    """
    for loader in loaders:
        if isinstance(loader.dataset, Measured):
            loader.dataset.forget()
