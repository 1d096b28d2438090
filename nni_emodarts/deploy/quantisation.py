"""The int8 variant of an exported file: each weight in 8 bits, with a scale for each output channel.

Weights alone are rounded. Activations in 8 bits saved no time on networks of this size, and changed one answer in
fourteen. The weights are multiplied out once, when the file is loaded: it computes as fast as the float file.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from nni_emodarts.deploy.sealing import sealed

NETWORK_SCOPE = "/network/"
"""How names of the network's own nodes begin."""
ENCODER_SCOPE = "/encoder/"
"""Likewise of a pretrained encoder's."""
SPECTRUM_SCOPES = ("/encoder/spectrum/", "/encoder/bands/")
"""Features are never quantised: a spectrum spans more than 8 bits."""
LEAST = 256
"""Smallest number of values of a weight that is worth it."""
_LEVELS = 127


def quantise(model: bytes) -> bytes:
    """The int8 variant of an exported file."""
    loaded = onnx.load_from_string(model)
    graph = loaded.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    weights = {name: axes for node in graph.node for name, axes in _weights(node) if name in held}
    nodes = []
    for name, axes in weights.items():
        values = numpy_helper.to_array(held[name])
        if values.dtype == np.float32 and values.ndim > 1 and values.size >= LEAST:
            graph.initializer.remove(held[name])
            graph.initializer.extend(_rounded(name, values, axes))
            nodes += [
                helper.make_node("Cast", [f"{name}.int8"], [f"{name}.whole"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name]),
            ]
    others = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *others])
    return sealed(loaded)


def _weights(node: NodeProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names of what may be weights of a node, and the axes of their output channels."""
    if not node.name.startswith((NETWORK_SCOPE, ENCODER_SCOPE)) or node.name.startswith(SPECTRUM_SCOPES):
        return
    match node.op_type:
        case "Conv":
            yield node.input[1], (0,)
        case "Split" | "Transpose":  # a linear layer's, in parts or turned
            yield node.input[0], (0,)
        case "MatMul":
            yield node.input[1], (-1,)
        case "Gemm":
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            yield node.input[1], (0,) if transposed else (1,)
        case "LSTM" | "GRU" | "RNN":
            yield from ((name, (0, 1)) for name in node.input[1:3])


def _rounded(name: str, values: np.ndarray, axes: tuple[int, ...]) -> list[TensorProto]:
    """A weight as whole numbers, and the scales of its channels."""
    kept = {axis % values.ndim for axis in axes}
    others = tuple(axis for axis in range(values.ndim) if axis not in kept)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / _LEVELS, 1).astype(np.float32)
    whole = np.rint(values / scale).astype(np.int8)
    return [numpy_helper.from_array(whole, f"{name}.int8"), numpy_helper.from_array(scale, f"{name}.scale")]
