"""A sample's output depends neither on its batch nor on its padding, for every operation."""

import pytest
import torch
from torch import nn

from nni_emodarts.config import CNN_PRIMITIVES, SEQNN_PRIMITIVES
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.convolution import ReluConvNorm, Stem
from nni_emodarts.models.nn.masking import strided
from nni_emodarts.models.nn.primitives import cnn_operation, sequence_operation
from nni_emodarts.models.nn.skip import FactorizedReduce
from nni_emodarts.models.nn.temporal_pooling import POOLINGS

LENGTHS = torch.tensor([13, 12, 7, 2, 1])


def padded(*shape: int) -> torch.Tensor:
    """Random data of LENGTHS frames along the last axis, zero behind them."""
    data = torch.randn(len(LENGTHS), *shape, int(LENGTHS.max()))
    for number, length in enumerate(LENGTHS):
        data[number, ..., length:] = 0
    return data


def settle(module: nn.Module, data: torch.Tensor) -> nn.Module:
    """The module in evaluation, with statistics and scales that are not the initial ones."""
    for name, parameter in module.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter, 0.5)
    module.train()
    module(data, LENGTHS)
    return module.eval()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", CNN_PRIMITIVES)
def test_cnn_operation(name: str, stride: int) -> None:
    data = padded(3, 9)
    operation = settle(cnn_operation(name, 3, stride, affine=True), data)
    together = operation(data, LENGTHS)
    lengths = strided(LENGTHS, stride)
    assert together.shape == (5, 3, -(-9 // stride), -(-13 // stride))
    for number, length in enumerate(LENGTHS):
        alone = operation(data[number : number + 1, ..., :length], LENGTHS[number : number + 1])
        assert alone.shape[-1] == lengths[number]
        torch.testing.assert_close(together[number, ..., : lengths[number]], alone[0])
        assert not together[number, ..., lengths[number] :].any(), "padding is not zero"


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", CNN_PRIMITIVES)
def test_a_cnn_operation_over_time_alone_uses_all_its_weights(name: str, stride: int) -> None:
    data = padded(4, 1)
    operation = settle(cnn_operation(name, 4, stride, affine=True, time_only=True), data)
    together = operation(data, LENGTHS)
    lengths = strided(LENGTHS, stride)
    assert together.shape == (5, 4, 1, -(-13 // stride))
    for number, length in enumerate(LENGTHS):
        alone = operation(data[number : number + 1, ..., :length], LENGTHS[number : number + 1])
        torch.testing.assert_close(together[number, ..., : lengths[number]], alone[0])
        assert not together[number, ..., lengths[number] :].any(), "padding is not zero"
    for kernel in (each for each in operation.parameters() if each.dim() == 4):
        (gradient,) = torch.autograd.grad(operation.train()(data, LENGTHS).square().sum(), kernel)
        assert bool((gradient != 0).any(0).any(0).all()), "a weight that meets the border alone"


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("name", SEQNN_PRIMITIVES)
def test_sequence_operation(name: str, normalized: bool) -> None:
    data = padded(6).transpose(1, 2)
    operation = settle(sequence_operation(name, 6, normalized), data)
    together = operation(data, LENGTHS)
    assert together.shape == (5, 13, 6)
    for number, length in enumerate(LENGTHS):
        alone = operation(data[number : number + 1, :length], LENGTHS[number : number + 1])
        torch.testing.assert_close(together[number, :length], alone[0])
        assert not together[number, length:].any(), "padding is not zero"


@pytest.mark.parametrize(
    "module",
    [
        FactorizedReduce(3, 5, affine=True),
        FactorizedReduce(3, 1, affine=True),
        ReluConvNorm(3, 4, affine=True),
        Stem(3, 4, 1, affine=True),
        Stem(3, 4, 2, affine=True),
    ],
    ids=lambda module: type(module).__name__,
)
def test_other_maps(module: nn.Module) -> None:
    data = padded(3, 9)
    settle(module, data)
    together = module(data, LENGTHS)
    for number, length in enumerate(LENGTHS):
        alone = module(data[number : number + 1, ..., :length], LENGTHS[number : number + 1])
        torch.testing.assert_close(together[number, ..., : alone.shape[-1]], alone[0])


@pytest.mark.parametrize("module", [Bridge(3, 9, 6), *(cls(6) for cls in POOLINGS.values())], ids=str)
def test_bridge_and_pooling(module: nn.Module) -> None:
    data = padded(3, 9) if isinstance(module, Bridge) else padded(6).transpose(1, 2)
    together = module(data, LENGTHS)
    for number, length in enumerate(LENGTHS):
        one = data[number : number + 1]
        alone = module(one[..., :length] if one.dim() == 4 else one[:, :length], LENGTHS[number : number + 1])
        found = together[number, :length] if isinstance(module, Bridge) else together[number]
        torch.testing.assert_close(found, alone[0])
