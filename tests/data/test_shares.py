"""Shares of batches for processes that train together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nni_emodarts.data.batches import Batch, Collate, Measured, Shares, evaluation_loader, every_nth, training_loader
from nni_emodarts.data.batches.batches import Item


class Counted(Measured):
    """Utterances whose features are their numbers."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = np.array(lengths)

    def __getitem__(self, position: int) -> Item:
        return Item(torch.full((2, int(self.lengths[position])), float(position)), position % 3, position)


def rows(batch: Batch) -> list[int]:
    return batch.rows.tolist()


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=40),
    st.integers(2, 9),
    st.integers(2, 4),
    st.booleans(),
)
def test_shares_of_a_batch_make_up_the_batch(
    lengths: list[int], batch_size: int, processes: int, balanced: bool
) -> None:
    """In their order; of a batch that is too small each process has all."""
    corpora = np.arange(len(lengths)) % 2 if balanced else None
    utterances = Counted(lengths)

    def batches() -> list[list[int]]:
        return [rows(batch) for batch in training_loader(utterances, Collate(2), batch_size, 3, corpora=corpora)]

    shares = []
    for place in range(processes):
        loader = training_loader(utterances, Collate(2), batch_size, 3, corpora=corpora)
        shares.append([rows(batch) for batch in Shares(loader, place, processes)])
        assert len(Shares(loader, place, processes)) == len(shares[-1])
    for whole, *parts in zip(batches(), *shares, strict=True):
        if len(whole) < processes:
            assert all(part == whole for part in parts)
        else:
            assert [whole[place::processes] for place in range(processes)] == parts
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_batch_of_an_evaluation_is_computed_once_and_as_it_is(processes: int) -> None:
    loader = evaluation_loader(Counted([5, 3, 9, 1, 7, 2, 8]), Collate(2), 2)
    whole = [batch.maps for batch in loader]
    parts: list[list[Tensor]] = [
        [batch.maps for batch in every_nth(loader, place, processes)] for place in range(processes)
    ]
    for number, maps in enumerate(whole):
        torch.testing.assert_close(parts[number % processes][number // processes], maps, rtol=0, atol=0)
    assert sum(map(len, parts)) == len(whole)
