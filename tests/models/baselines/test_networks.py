"""One contract for all hand-designed networks."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nni_emodarts.models.baselines import BASELINES, Baseline, build_baseline
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.training.graph import onnx_graph

LENGTHS = torch.tensor([37, 36, 21, 8, 2, 1])
SHAPE = (2, 20)
CLASSES = 4


def padded() -> torch.Tensor:
    """Random maps of LENGTHS frames, zero behind them."""
    maps = torch.randn(len(LENGTHS), *SHAPE, int(LENGTHS.max()))
    for number, length in enumerate(LENGTHS):
        maps[number, ..., length:] = 0
    return maps


@pytest.fixture(params=BASELINES)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return build_baseline(Baseline(request.param, dropout=0.3), CLASSES, SHAPE)


@pytest.mark.parametrize("name", BASELINES)
def test_dropout_is_that_of_the_design(name: str) -> None:
    for dropout in (0.0, 0.3):
        network = build_baseline(Baseline(name, dropout), CLASSES, SHAPE)
        assert {module.p for module in network.modules() if isinstance(module, Dropout)} == {dropout}


def settled(network: nn.Module) -> nn.Module:
    """In evaluation, with statistics and scales that are not the initial ones."""
    for name, parameter in network.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter, 0.5)
    network.train()
    network(padded(), LENGTHS)
    return network.eval()


def test_an_output_depends_neither_on_the_batch_nor_on_padding(network: nn.Module) -> None:
    maps = padded()
    settled(network)
    together = network(maps, LENGTHS)
    assert together.shape == (len(LENGTHS), CLASSES)
    assert together.std(0).min() > 1e-3, "outputs differ at all"
    for number, length in enumerate(LENGTHS):
        alone = network(maps[number : number + 1, ..., :length], LENGTHS[number : number + 1])
        torch.testing.assert_close(together[number], alone[0], rtol=1e-4, atol=1e-5)
    longer = network(F.pad(maps, (0, 19)), LENGTHS)
    torch.testing.assert_close(longer, together, rtol=1e-4, atol=1e-5)


def test_training_ignores_padding(network: nn.Module) -> None:
    """Neither loss nor gradients change with it; dropout, which would draw other values, is off.

    In double: in single precision a rounding can move a value over the kink of a ReLU, and its gradient with it.
    """
    network, maps = network.double(), padded().double()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0

    def gradients(given: torch.Tensor) -> list[torch.Tensor]:
        loss = F.cross_entropy(network(given, LENGTHS), torch.arange(len(LENGTHS)) % CLASSES)
        return [loss, *torch.autograd.grad(loss, list(network.parameters()))]

    for one, other in zip(gradients(maps), gradients(F.pad(maps, (0, 13))), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_a_gradient_reaches_every_parameter(network: nn.Module) -> None:
    F.cross_entropy(network(padded(), LENGTHS), torch.arange(len(LENGTHS)) % CLASSES).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_it_learns(network: nn.Module) -> None:
    """Six random utterances are reported apart after some steps."""
    maps, labels = padded(), torch.arange(len(LENGTHS)) % CLASSES
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(25):
        loss = F.cross_entropy(network(maps, LENGTHS), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.7 < np.log(CLASSES)


def test_its_graph_says_the_same(network: nn.Module) -> None:
    settled(network)
    session = onnxruntime.InferenceSession(onnx_graph(network, SHAPE), providers=["CPUExecutionProvider"])
    maps = padded()
    (found,) = session.run(None, {"maps": maps.numpy(), "lengths": LENGTHS.numpy()})
    np.testing.assert_allclose(found, network(maps, LENGTHS).detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", BASELINES)
def test_sizes_are_alike(name: str) -> None:
    """None wins or loses by being several times as large as the others."""
    shape = (7, 512) if name == "weighted_levels" else (1, 64)  # levels and features of a usual encoder
    network = build_baseline(Baseline(name), CLASSES, shape)
    assert 150_000 < sum(parameter.numel() for parameter in network.parameters()) < 350_000
