"""The unrolled gradient against exact autograd, in double precision."""

import pytest
import torch
from torch import Tensor, nn

from nni_emodarts.search.one_shot.curvature import dominant_eigenvalue
from nni_emodarts.search.one_shot.second_order import same_surroundings, unrolled_gradients


def small_problem() -> tuple[list[Tensor], list[Tensor], dict[str, Tensor]]:
    """A mixed operation of two smooth paths, weighed by softmax(alpha), on fixed data."""
    torch.manual_seed(3)
    weights = [torch.randn(4, 5), torch.randn(4, 5), torch.randn(3, 4)]
    alphas = [torch.randn(2), torch.randn(3)]
    data = {name: torch.randn(7, size) for name, size in (("x", 5), ("u", 5), ("y", 3), ("v", 3))}
    return (
        [weight.double().requires_grad_() for weight in weights],
        [alpha.double().requires_grad_() for alpha in alphas],
        {name: value.double() for name, value in data.items()},
    )


def loss_of(weights: list[Tensor], alphas: list[Tensor], inputs: Tensor, target: Tensor) -> Tensor:
    one, two = torch.softmax(alphas[0], 0)
    hidden = one * torch.tanh(inputs @ weights[0].T) + two * nn.functional.silu(inputs @ weights[1].T)
    return ((hidden @ weights[2].T) * torch.softmax(alphas[1], 0) - target).square().mean()


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_unrolled_gradient_is_that_of_autograd(rate: float) -> None:
    weights, alphas, data = small_problem()

    def train_loss() -> Tensor:
        return loss_of(weights, alphas, data["x"], data["y"])

    def val_loss() -> Tensor:
        return loss_of(weights, alphas, data["u"], data["v"])

    inner = torch.autograd.grad(train_loss(), weights, create_graph=True)
    unrolled = [weight - rate * part for weight, part in zip(weights, inner, strict=True)]
    exact = torch.autograd.grad(loss_of(unrolled, alphas, data["u"], data["v"]), alphas)
    before = [weight.detach().clone() for weight in weights]
    found = unrolled_gradients(train_loss, val_loss, weights, alphas, rate, step=1e-4)
    for ours, theirs in zip(found, exact, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)
    first_order = torch.autograd.grad(val_loss(), alphas)
    assert any((ours - theirs).abs().max() > 0.01 * rate for ours, theirs in zip(found, first_order, strict=True))
    assert all(torch.equal(weight, value) for weight, value in zip(weights, before, strict=True))


def test_all_passes_see_the_same_dropout_and_leave_the_statistics_of_one() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5))
    data = torch.randn(8, 4)
    torch.manual_seed(5)
    once = model(data).sum()
    mean = model[1].running_mean.clone()
    model[1].reset_running_stats()
    torch.manual_seed(5)
    with same_surroundings(model) as same:
        loss = same(lambda: model(data).sum())
        assert torch.equal(loss(), once)
        assert torch.equal(loss(), once)
        assert torch.equal(model[1].running_mean, mean)
    assert not model[1].running_mean.any(), "a step of the alphas must leave no trace in the running statistics"


def test_dominant_eigenvalue_of_a_quadratic() -> None:
    torch.manual_seed(0)
    root = torch.randn(6, 6, dtype=torch.float64)
    hessian = root @ root.T
    alphas = [
        torch.randn(2, dtype=torch.float64).requires_grad_(),
        torch.randn(4, dtype=torch.float64).requires_grad_(),
    ]
    start = [alpha.detach().clone() for alpha in alphas]

    def loss() -> Tensor:
        flat = torch.cat(alphas)
        return flat @ hessian @ flat / 2

    found = dominant_eigenvalue(loss, alphas, iterations=500, tolerance=1e-9)
    assert found == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-4)
    assert all(torch.equal(alpha, value) for alpha, value in zip(alphas, start, strict=True))
    assert dominant_eigenvalue(lambda: -loss(), alphas, 500, 1e-9) == pytest.approx(-found, rel=1e-4)
