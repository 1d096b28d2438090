"""Changes of an utterance in several streams: in time the same ones in all of them, whatever their hops."""

import pytest
import torch
from torch import Tensor

from nni_emodarts.data.batches import ChangedAlike, Excerpt, Perturbation, SpecAugment

FRAMES = (400, 100)
STILL = {"time_masks": 0, "frequency_masks": 0}


def clocks() -> list[Tensor]:
    """Two streams whose every row is the time, as a share of the utterance."""
    return [((torch.arange(frames) + 0.5) / frames).expand(6, frames) for frames in FRAMES]


def changed(excerpt: float, tempo: float = 0.0, **masks: float) -> list[Tensor]:
    options = {**STILL, **masks}
    change = ChangedAlike(
        Excerpt(excerpt),
        [Perturbation(6, tempo=tempo), Perturbation(6, tempo=tempo)],
        [SpecAugment(6, **options), SpecAugment(3, **options, levels=2)],
    )
    return change(clocks())


@pytest.mark.parametrize("seed", range(10))
def test_an_excerpt_is_the_same_stretch(seed: int) -> None:
    torch.manual_seed(seed)
    fine, coarse = changed(0.3)
    assert fine.shape[1] == pytest.approx(4 * coarse.shape[1], abs=4)
    assert float(fine[0, 0]) == pytest.approx(float(coarse[0, 0]), abs=0.015)
    assert float(fine[0, -1]) == pytest.approx(float(coarse[0, -1]), abs=0.015)


@pytest.mark.parametrize("seed", range(5))
def test_a_voice_is_as_fast_in_all(seed: int) -> None:
    torch.manual_seed(seed)
    fine, coarse = changed(1.0, tempo=0.3)
    assert fine.shape[1] != FRAMES[0]
    assert fine.shape[1] / FRAMES[0] == pytest.approx(coarse.shape[1] / FRAMES[1], abs=0.006)


def test_masks_of_time_are_the_same_and_those_of_features_each_streams_own() -> None:
    drawn = [(torch.tensor([0.9]), torch.tensor([0.4]))]
    for each, frames in zip(clocks(), FRAMES, strict=True):
        masked = SpecAugment(6, time_share=0.5, frequency_masks=0).masked(each, drawn)
        hidden = (masked[0] == 0).nonzero().flatten() / frames
        assert float(hidden[0]) == pytest.approx(0.4 * (1 - 0.45), abs=0.02)
        assert len(hidden) / frames == pytest.approx(0.45, abs=0.01)
    for seed in range(5):
        torch.manual_seed(seed)
        _, levels = changed(1.0, frequency_masks=2, frequency_share=0.5)
        rows = (levels == 0).all(1).reshape(2, 3)
        assert torch.equal(rows[0], rows[1])


def test_what_comes_behind_the_streams_stays() -> None:
    change = ChangedAlike(Excerpt(0.5), [Perturbation(6, tempo=0.3, noise=1.0)], [SpecAugment(6)])
    _, vector = change([clocks()[0], torch.ones(88, 1)])
    assert torch.equal(vector, torch.ones(88, 1))
