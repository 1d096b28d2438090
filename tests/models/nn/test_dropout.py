"""Dropout by its statistics, its gradient, and where it does nothing."""

import pytest
import torch

from nni_emodarts.models.nn.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_it_drops_a_share_and_scales_the_rest(share: float) -> None:
    torch.manual_seed(0)
    out = Dropout(share)(torch.ones(401, 999))
    exact = round(256 * share) / 256
    assert (out == 0).double().mean().item() == pytest.approx(exact, abs=0.003)
    torch.testing.assert_close(out[out != 0].unique(), torch.tensor([1 / (1 - exact)]))
    assert out.mean().item() == pytest.approx(1.0, abs=0.005)
    neighbours = (out[:, 1:] == 0) & (out[:, :-1] == 0)
    assert neighbours.double().mean().item() == pytest.approx(exact**2, abs=0.003)


def test_the_gradient_passes_where_values_do() -> None:
    inputs = torch.randn(3, 5, 7, 9).contiguous(memory_format=torch.channels_last).requires_grad_()
    out = Dropout(0.4)(inputs)
    direction = torch.randn_like(out)
    (gradient,) = torch.autograd.grad((out * direction).sum(), inputs)
    torch.testing.assert_close(gradient * inputs, direction * out)
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_a_share_near_one_keeps_something() -> None:
    out = Dropout(0.9999)(torch.ones(100_000))
    assert out.isfinite().all()
    assert out.any()


def test_every_step_draws_anew_and_a_seed_repeats_it() -> None:
    inputs, dropout = torch.ones(1000), Dropout(0.5)
    torch.manual_seed(3)
    first, second = dropout(inputs), dropout(inputs)
    torch.manual_seed(3)
    assert torch.equal(dropout(inputs), first)
    assert not torch.equal(first, second)


def test_it_does_nothing_in_evaluation_or_without_a_share() -> None:
    inputs = torch.randn(4, 6)
    assert torch.equal(Dropout(0.5).eval()(inputs), inputs)
    assert torch.equal(Dropout(0.0)(inputs), inputs)
