"""Sequences of streams in one time: means keep, padding has no say."""

import torch

from nni_emodarts.models.nn.resampling import StreamSum, in_one_time, resample


def by_hand(sequence: torch.Tensor, frames: int) -> torch.Tensor:
    """(T, D) -> (frames, D), by so many repetitions of each frame that whole numbers of them make one."""
    fine = sequence.repeat_interleave(frames, 0)
    return fine.reshape(frames, len(sequence), -1).mean(1)


def test_a_frame_is_the_mean_over_what_it_lasts() -> None:
    sequence = torch.randn(4, 9, 3, dtype=torch.float64)
    lengths, wanted = torch.tensor([9, 7, 2, 1]), torch.tensor([4, 7, 1, 3])
    found = resample(sequence, lengths, wanted, 7)
    assert found.shape == (4, 7, 3)
    for row, (length, frames) in enumerate(zip(lengths.tolist(), wanted.tolist(), strict=True)):
        torch.testing.assert_close(found[row, :frames], by_hand(sequence[row, :length], frames))
        assert not found[row, frames:].any()
        torch.testing.assert_close(found[row, :frames].mean(0), sequence[row, :length].mean(0))
    assert torch.equal(found[1], sequence[1, :7])  # as many frames are what they were


def test_streams_take_the_time_of_the_coarsest_utterance_by_utterance() -> None:
    fine, coarse = torch.randn(2, 8, 3), torch.randn(2, 3, 3)
    lengths = [torch.tensor([8, 2]), torch.tensor([3, 3])]
    together, shortest = in_one_time([fine, coarse], lengths)
    assert together.shape == (2, 2, 3, 3)
    assert shortest.tolist() == [3, 2]
    torch.testing.assert_close(together[0, 0], by_hand(fine[0], 3))
    torch.testing.assert_close(together[1, 1, :2], by_hand(coarse[1], 2))
    torch.testing.assert_close(StreamSum([0, 1])(together, shortest), together.sum(1))
    torch.testing.assert_close(StreamSum([1])(together, shortest), together[:, 1])


def test_what_is_not_computed_is_silent_and_keeps_the_time() -> None:
    fine = torch.randn(1, 8, 3)
    together, shortest = in_one_time([fine, None], [torch.tensor([8]), torch.tensor([3])])
    assert shortest.tolist() == [3]
    torch.testing.assert_close(together[0, 0, :3], by_hand(fine[0], 3))
    assert not together[:, 1].any()
