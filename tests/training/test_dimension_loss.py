"""The loss of dimensions, against the figure and against plain losses."""

import numpy as np
import pytest
import torch

from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.training.dimension_loss import DimensionLoss, JointLoss
from nni_emodarts.training.loss import EmotionLoss


def targets(rows: int = 64, dimensions: int = 2) -> torch.Tensor:
    return torch.rand(rows, dimensions, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_of_one_batch_it_is_one_less_the_mean_ccc():
    true, places = targets(), torch.randn(20, 2)
    loss = DimensionLoss(true, utterances=20)(places, torch.arange(20))
    expected = np.mean([ccc(true[:20, d].numpy(), places[:, d].numpy()) for d in range(2)])
    assert float(loss) == pytest.approx(1 - expected, abs=1e-5)


def test_answers_to_earlier_batches_count_without_their_gradients():
    true, loss = targets(), DimensionLoss(targets(), utterances=48)
    earlier = [torch.randn(16, 2) for _ in range(2)]
    for number, places in enumerate(earlier):
        loss(places.requires_grad_(), torch.arange(16 * number, 16 * (number + 1)))
    last = torch.randn(16, 2, requires_grad=True)
    found = loss(last, torch.arange(32, 48))
    together = torch.cat([*earlier, last]).detach().numpy()
    expected = np.mean([ccc(true[:48, d].numpy(), together[:, d]) for d in range(2)])
    assert float(found.detach()) == pytest.approx(1 - expected, abs=1e-5)
    for places in earlier:
        places.grad = None
    found.backward()
    assert all(places.grad is None for places in earlier)
    assert last.grad is not None
    # as large as if all 48 had been in the batch, where each has a third of its own whole's gradient
    whole = torch.cat([places.detach() for places in (*earlier, last)]).requires_grad_()
    DimensionLoss(true, utterances=48)(whole, torch.arange(48)).backward()
    torch.testing.assert_close(last.grad, 3 * whole.grad[32:], atol=1e-6, rtol=1e-4)


def test_a_repeated_batch_has_the_same_loss():
    loss = DimensionLoss(targets(), utterances=32)
    for number in range(3):
        loss(torch.randn(16, 2, requires_grad=True), torch.arange(16 * number, 16 * (number + 1)))
    places = torch.randn(16, 2, requires_grad=True)
    first = loss(places, torch.arange(48, 64))
    assert float(loss(places, torch.arange(48, 64)).detach()) == float(first.detach())


def test_what_is_remembered_is_kept_in_a_checkpoint():
    one, other = DimensionLoss(targets(), utterances=32), DimensionLoss(targets(), utterances=32)
    one(torch.randn(16, 2, requires_grad=True), torch.arange(16))
    other.load_state_dict(one.state_dict())
    places, rows = torch.randn(16, 2), torch.arange(16, 32)
    assert float(one(places, rows)) == float(other(places, rows))
    assert "targets" not in one.state_dict()


@pytest.mark.parametrize("kind", ["ccc", "mse", "mae"])
def test_missing_values_neither_count_nor_break_anything(kind):
    true = targets()
    true[3, 0] = torch.nan
    true[:, 1] = torch.nan
    places = torch.randn(16, 2, requires_grad=True)
    found = DimensionLoss(true, kind, 16)(places, torch.arange(16))
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(places.grad).all()
    assert float(places.grad[3, 0]) == 0
    assert not places.grad[:, 1].any()


def test_squared_and_absolute_errors():
    true, places, rows = targets(), torch.randn(8, 2), torch.arange(8)
    assert float(DimensionLoss(true, "mse")(places, rows)) == pytest.approx(float(((places - true[:8]) ** 2).mean()))
    assert float(DimensionLoss(true, "mae")(places, rows)) == pytest.approx(float((places - true[:8]).abs().mean()))


def test_of_few_utterances_ccc_is_estimated_too_low():
    """The reason to remember answers: batches of four say less than they should."""
    generator = torch.Generator().manual_seed(1)
    true = torch.rand(4000, 1, generator=generator) * 2 - 1
    places = 0.7 * true + 0.2 * torch.randn(4000, 1, generator=generator)
    whole = 1 - float(DimensionLoss(true, utterances=4000)(places, torch.arange(4000)))
    loss = DimensionLoss(true, utterances=4)
    with torch.no_grad():
        parts = [1 - float(loss(places[n : n + 4], torch.arange(n, n + 4))) for n in range(0, 4000, 4)]
    assert np.mean(parts) < whole - 0.03


def test_both_losses_are_weighed():
    true, labels, rows = targets(), torch.randint(0, 3, (8,)), torch.arange(8)
    outputs = torch.randn(8, 5)
    emotion, rated = EmotionLoss(torch.ones(3)), DimensionLoss(true, "mse")
    found = JointLoss(emotion, rated, 2.0, 0.5)(outputs, labels, rows)
    expected = 2.0 * emotion(outputs[:, :3], labels) + 0.5 * rated(outputs[:, 3:], rows)
    torch.testing.assert_close(found, expected)
    alone = JointLoss(EmotionLoss(torch.ones(0)), rated, 2.0, 0.5)(outputs[:, 3:], labels, rows)
    torch.testing.assert_close(alone, rated(outputs[:, 3:], rows))
