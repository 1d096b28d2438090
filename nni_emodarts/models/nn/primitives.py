"""Names of operations -> operations."""

import re
from collections.abc import Callable
from typing import cast

from torch import nn

from nni_emodarts.models.nn.convolution import DepthwiseConv, SeparableConv
from nni_emodarts.models.nn.pooling import AvgPool, MaxPool
from nni_emodarts.models.nn.recurrence import RecurrentAttention, RecurrentKind, StackedRecurrence
from nni_emodarts.models.nn.skip import FactorizedReduce, Skip, Zero

RECURRENT = re.compile(r"(?P<kind>lstm|rnn)(?P<attention>_att)?_(?P<layers>\d+)")


def _skip(channels: int, stride: int, affine: bool) -> nn.Module:
    return Skip() if stride == 1 else FactorizedReduce(channels, channels, affine)


_CNN: dict[str, Callable[[int, int, bool], nn.Module]] = {
    "max_pool_3x3": MaxPool,
    "avg_pool_3x3": AvgPool,
    "skip_connect": _skip,
    "sep_conv_3x3": lambda channels, stride, affine: SeparableConv(channels, 3, stride, affine),
    "sep_conv_5x5": lambda channels, stride, affine: SeparableConv(channels, 5, stride, affine),
    "dil_conv_3x3": lambda channels, stride, affine: DepthwiseConv(channels, 3, stride, 2, affine),
    "dil_conv_5x5": lambda channels, stride, affine: DepthwiseConv(channels, 5, stride, 2, affine),
    "none": lambda channels, stride, affine: Zero(stride),
}


def cnn_operation(name: str, channels: int, stride: int, affine: bool) -> nn.Module:
    """An operation (maps (N, C, F, T), lengths (N,)) -> (N, C, ceil(F / stride), ceil(T / stride))."""
    return _CNN[name](channels, stride, affine)


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
