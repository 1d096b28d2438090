"""Recurrences side by side against the library's, one by one."""

import pytest
import torch
from torch import nn

from nni_emodarts.search.supernet.recurrence import recur_lstm, recur_tanh


@pytest.mark.parametrize(("kind", "recur"), [(nn.RNN, recur_tanh), (nn.LSTM, recur_lstm)])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_side_by_side_is_one_by_one(kind: type[nn.RNNBase], recur: object, frames: int) -> None:
    layers = [kind(3, 4).double() for _ in range(3)]
    inputs = torch.randn(frames, 2, 3).double().requires_grad_()
    drive = torch.stack([inputs @ one.weight_ih_l0.T + one.bias_ih_l0 + one.bias_hh_l0 for one in layers], 1)
    found = recur(drive, torch.stack([one.weight_hh_l0 for one in layers]))
    expected = torch.stack([one(inputs)[0] for one in layers], 1)
    torch.testing.assert_close(found, expected)
    weights = [weight for one in layers for weight in one.parameters()]
    gradient = torch.randn_like(expected)
    for ours, theirs in zip(
        torch.autograd.grad(found, (inputs, *weights), gradient),
        torch.autograd.grad(expected, (inputs, *weights), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
