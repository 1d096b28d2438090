import pytest
import torch
from torchaudio.functional import mask_along_axis

from nni_emodarts.data.batches import SpecAugment

BINS = 40


def by_torchaudio(features: torch.Tensor) -> torch.Tensor:
    for _ in range(2):
        features = mask_along_axis(features[None], int(0.1 * features.shape[1]) + 1, 0.0, axis=2)[0]
    for _ in range(2):
        masked = mask_along_axis(features[None, :BINS], int(0.15 * BINS) + 1, 0.0, axis=1)[0]
        features = torch.cat([masked, features[BINS:]])
    return features


@pytest.mark.parametrize("frames", [1, 7, 300])
def test_masks_are_those_of_torchaudio(frames: int) -> None:
    features = torch.randn(BINS + 3, frames)
    for seed in range(20):
        torch.manual_seed(seed)
        found = SpecAugment(BINS)(features)
        torch.manual_seed(seed)
        assert torch.equal(found, by_torchaudio(features))


def test_the_features_themselves_stay() -> None:
    features = torch.randn(BINS, 50)
    before = features.clone()
    assert not torch.equal(SpecAugment(BINS)(features), features)
    assert torch.equal(features, before)


def test_contours_are_masked_in_time_only() -> None:
    features = torch.ones(BINS + 1, 100)
    masked = SpecAugment(BINS, time_masks=0, frequency_masks=4, frequency_share=0.5)(features)
    assert masked[BINS:].eq(1).all()
    assert masked[:BINS].eq(0).any()
