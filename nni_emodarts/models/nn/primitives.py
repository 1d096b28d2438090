"""Names of operations -> operations."""

import re
from typing import cast

from torch import nn

from nni_emodarts.models.nn.convolution import DepthwiseConv, ReluConvNorm, SeparableConv
from nni_emodarts.models.nn.pooling import AvgPool, MaxPool
from nni_emodarts.models.nn.recurrence import RecurrentAttention, RecurrentKind, StackedRecurrence
from nni_emodarts.models.nn.skip import FactorizedReduce, Skip, Zero

_POOLS = {"max_pool_3x3": MaxPool, "avg_pool_3x3": AvgPool}
CONVOLUTION = re.compile(r"(?P<kind>sep|dil)_conv_(?P<size>[35])x(?P=size)")
RECURRENT = re.compile(r"(?P<kind>lstm|rnn)(?P<attention>_att)?_(?P<layers>\d+)")


def _convolution(name: str, channels: int, stride: int, affine: bool, time_only: bool) -> nn.Module:
    match = CONVOLUTION.fullmatch(name)
    if match is None:
        raise KeyError(name)
    size = int(match["size"])
    kernel = (1 if time_only else size, size)
    if match["kind"] == "sep":
        return SeparableConv(channels, kernel, stride, affine)
    return DepthwiseConv(channels, kernel, stride, 2, affine)


def cnn_operation(name: str, channels: int, stride: int, affine: bool, time_only: bool = False) -> nn.Module:
    """An operation (maps (N, C, F, T), lengths (N,)) -> (N, C, ceil(F / stride), ceil(T / stride)).

    Args:
        name: the primitive.
        channels: C.
        stride: 1 or 2.
        affine: whether normalisation scales and shifts.
        time_only: whether it works over time alone, for maps of a single bin. Pooling does so there in any case.
    """
    if name == "none":
        return Zero(stride)
    if name == "skip_connect":
        return Skip() if stride == 1 else FactorizedReduce(channels, channels, affine, time_only)
    if name in _POOLS:
        return _POOLS[name](channels, stride, affine)
    return _convolution(name, channels, stride, affine, time_only)


def alignment(in_channels: int, channels: int, affine: bool, halves: bool, time_only: bool) -> nn.Module:
    """What brings an input of a cell to its channels, and halves the first one behind a reduction."""
    if halves:
        return FactorizedReduce(in_channels, channels, affine, time_only)
    return ReluConvNorm(in_channels, channels, affine)


def sequence_operation(name: str, width: int, normalized: bool = False) -> nn.Module:
    """An operation (sequence (N, T, D), lengths (N,)) -> (N, T, D); a recurrence may end in a normalisation."""
    if name == "skip_connect":
        return Skip()
    if name == "none":
        return Zero()
    match = RECURRENT.fullmatch(name)
    if match is None:
        raise KeyError(name)
    kind = cast(RecurrentKind, match["kind"])
    operation = RecurrentAttention if match["attention"] else StackedRecurrence
    return operation(kind, width, int(match["layers"]), normalized)
