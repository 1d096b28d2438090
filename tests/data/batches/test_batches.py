import librosa
import numpy as np
import pytest
import torch
from torchaudio.functional import compute_deltas

from nni_emodarts.config import load_config
from nni_emodarts.data.batches import Collate, SpecAugment, batches, evaluation_loader, training_loader
from nni_emodarts.data.batches.batches import Item, LengthBatches
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.features import Normalizer


def test_maps_are_padded_with_zeros_and_contours_become_channels() -> None:
    items = [Item(torch.randn(5, 7), 1, 10), Item(torch.randn(5, 4), 0, 3)]
    batch = Collate(frequency_bins=3)(items)
    assert batch.maps.shape == (2, 3, 3, 7)
    assert torch.equal(batch.maps[0, 0], items[0].features[:3])
    for contour in (0, 1):
        for frequency in range(3):
            assert torch.equal(batch.maps[1, 1 + contour, frequency, :4], items[1].features[3 + contour])
    assert not batch.maps[1, ..., 4:].any()
    assert batch.lengths.tolist() == [7, 4]
    assert (batch.labels.tolist(), batch.rows.tolist()) == ([1, 0], [10, 3])


def test_deltas_are_channels_before_the_contours_and_know_nothing_of_padding() -> None:
    items = [Item(torch.randn(4, 9), 0, 0), Item(torch.randn(4, 3), 0, 1), Item(torch.randn(4, 1), 0, 2)]
    batch = Collate(frequency_bins=3, deltas=2)(items)
    assert batch.maps.shape == (3, 4, 3, 9)
    for item, maps in zip(items, batch.maps, strict=True):
        frames = item.features.shape[1]
        first = compute_deltas(item.features[None, :3])[0]
        torch.testing.assert_close(maps[1, :, :frames], first)
        torch.testing.assert_close(maps[2, :, :frames], compute_deltas(first[None])[0])
        assert torch.equal(maps[3, :, :frames], item.features[3].expand(3, -1))
        assert not maps[..., frames:].any()
    by_librosa = librosa.feature.delta(items[0].features[:3].numpy(), width=5, mode="nearest")
    np.testing.assert_allclose(batch.maps[0, 1].numpy(), by_librosa, atol=1e-6)


def test_training_batches_hold_every_utterance_once_in_a_new_order() -> None:
    lengths = np.random.default_rng(0).integers(10, 300, 403)
    batches = LengthBatches(lengths, 16, seed=3)
    first, second = list(batches), list(batches)
    assert len(first) == len(batches) == 26
    for epoch in (first, second):
        assert sorted(position for batch in epoch for position in batch) == list(range(403))
    assert first != second
    assert first == list(LengthBatches(lengths, 16, seed=3))
    assert first != list(LengthBatches(lengths, 16, seed=4))


def test_an_epoch_may_be_bounded_and_then_sees_another_part_each_time() -> None:
    lengths = np.random.default_rng(0).integers(10, 300, 403)
    batches = LengthBatches(lengths, 16, seed=3, most=10)
    epochs = [sorted(position for batch in batches for position in batch) for _ in range(2)]
    assert len(batches) == 10
    assert all(len(set(epoch)) == len(epoch) <= 160 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert len(LengthBatches(lengths, 16, seed=3, most=100)) == 26


def test_batches_by_length_waste_little() -> None:
    lengths = np.random.default_rng(0).integers(10, 300, 1600)

    def padded(batches: list[list[int]]) -> int:
        return sum(len(batch) * int(lengths[batch].max()) for batch in batches)

    drawn = np.random.default_rng(0).permutation(1600).reshape(-1, 16).tolist()
    assert padded(list(LengthBatches(lengths, 16, 0))) / lengths.sum() < 1.15 < padded(drawn) / lengths.sum()


def test_loaders(small_corpus: Corpus) -> None:
    fold = small_corpus.fold(0)
    normalizer = Normalizer.fit(small_corpus.store, fold.train)
    data = small_corpus.utterances(fold.test, normalizer)
    rows = [batch.rows for batch in evaluation_loader(data, small_corpus.collate, 3)]
    assert sorted(torch.cat(rows).tolist()) == sorted(fold.test.tolist())
    training = small_corpus.utterances(fold.train, normalizer)
    found = list(training_loader(training, small_corpus.collate, 5, seed=0))
    assert sorted(torch.cat([batch.rows for batch in found]).tolist()) == sorted(fold.train.tolist())
    for batch in found:
        for number, row in enumerate(batch.rows):
            expected = normalizer(small_corpus.store[int(row)])
            assert torch.equal(batch.maps[number, 0, :, : expected.shape[1]], torch.from_numpy(expected))
            assert batch.labels[number] == small_corpus.manifest.labels[row]


def test_a_small_data_set_is_read_once_and_masks_leave_what_is_kept(small_corpus: Corpus, monkeypatch) -> None:
    fold = small_corpus.fold(0)
    normalizer = Normalizer.fit(small_corpus.store, fold.train)
    bins = small_corpus.store.shelf.feature_rows
    read: list[int] = []

    class Counted(type(small_corpus.store)):
        def __getitem__(self, row: int) -> np.ndarray:
            read.append(row)
            return super().__getitem__(row)

    monkeypatch.setattr(small_corpus.store, "__class__", Counted)

    def epochs(bound: int) -> list[torch.Tensor]:
        monkeypatch.setattr(batches, "KEPT_BYTES", bound)
        data = small_corpus.utterances(fold.train, normalizer, SpecAugment(bins))
        torch.manual_seed(0)
        return [data[position].features for _ in range(3) for position in range(len(data))]

    anew = epochs(0)
    assert len(read) == 3 * len(fold.train)
    read.clear()
    kept = epochs(2**26)
    assert len(read) == len(fold.train)
    assert all(map(torch.equal, anew, kept))


def test_normalisation_comes_from_training_speakers_alone(small_corpus: Corpus) -> None:
    fold = small_corpus.fold(0)
    seen = np.concatenate([small_corpus.store[int(row)] for row in fold.train], axis=1).astype(np.float64)
    normalizer = Normalizer.fit(small_corpus.store, fold.train)
    np.testing.assert_allclose(normalizer.mean, seen.mean(1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(normalizer.std, seen.std(1), rtol=1e-4)


def test_spec_augment_masks_within_its_bounds() -> None:
    augment = SpecAugment(40, time_masks=2, time_share=0.1, frequency_masks=1, frequency_share=0.2)
    features = torch.ones(42, 100)
    masked_frames = masked_bins = 0
    for _ in range(50):
        out = augment(features)
        frames = (out[:40] == 0).all(0)
        bins = (out[:40] == 0).all(1)
        assert frames.sum() <= 2 * 11
        assert bins.sum() <= 9
        assert (out[40:, ~frames] == 1).all(), "contours are masked in time only"
        assert not out[40:, frames].any()
        masked_frames += int(frames.sum())
        masked_bins += int(bins.sum())
    assert masked_frames > 0 < masked_bins
    assert (features == 1).all(), "the stored features must not change"


@pytest.mark.parametrize("frames", [1, 2])
def test_spec_augment_takes_the_shortest_clips(frames: int) -> None:
    assert SpecAugment(40)(torch.ones(40, frames)).shape == (40, frames)


@pytest.mark.parametrize("factor", [1, 2])
def test_contours_and_deltas_reach_the_network(small_corpus: Corpus, factor: int) -> None:
    settings = ["features.contours=[energy]", "features.deltas=1"]
    config = load_config("tiny", settings=settings, options={"data.protocol": "loso"})
    corpus = load_corpus(config, small_corpus.manifest).coarser(factor)
    assert corpus.input_shape == (3, 40 // factor)
    fold = corpus.fold(0)
    data = corpus.utterances(fold.test, Normalizer.fit(corpus.store, fold.train))
    batch = next(iter(evaluation_loader(data, corpus.collate, 4)))
    assert batch.maps.shape[1:3] == corpus.input_shape
    assert torch.equal(batch.maps[:, 2, 0], batch.maps[:, 2, -1])
    torch.testing.assert_close(batch.maps[:1, 1, :, 2:5], compute_deltas(batch.maps[:1, 0])[..., 2:5])
