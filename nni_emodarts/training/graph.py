"""A network as an ONNX graph, for viewers."""

import warnings
from collections.abc import Mapping
from io import BytesIO

import onnx
import torch
from torch import Tensor, nn

from nni_emodarts.config import InputShape
from nni_emodarts.data.batches import Maps

_FRAMES = 64  # of the example that is traced; the graph takes any number


def onnx_graph(model: nn.Module, input_shape: InputShape, metadata: Mapping[str, str] | None = None) -> bytes:
    """The network maps (N, C, F, T), lengths (N,) -> logits (N, K) as ONNX, with texts that say what it is of.

    Of several streams it takes `maps_NAME` of each, and lengths (N, streams) in their order.

    The tracing exporter is used since the newer one freezes the length of recurrent layers.
    """
    training = model.training
    device = next(model.parameters()).device
    model.eval().cpu()
    example, names = _example(input_shape)
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            buffer,  # type: ignore[arg-type]  # it takes any binary file
            input_names=[*names, "lengths"],
            output_names=["logits"],
            dynamic_axes={
                **{name: {0: "batch", 3: f"frames{name.removeprefix('maps')}"} for name in names},
                "lengths": {0: "batch"},
                "logits": {0: "batch"},
            },
            opset_version=17,
            dynamo=False,
        )
    model.train(training).to(device)
    if not metadata:
        return buffer.getvalue()
    graph = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(graph, dict(metadata))
    return bytes(graph.SerializeToString())


def _example(input_shape: InputShape) -> tuple[tuple[Maps, Tensor], list[str]]:
    """What is traced, and the names of the maps."""
    if not isinstance(input_shape, Mapping):
        return (torch.zeros(2, *input_shape, _FRAMES), torch.tensor([_FRAMES, _FRAMES - 1])), ["maps"]
    frames = [_FRAMES * (2 + place) // 2 for place in range(len(input_shape))]
    maps = tuple(torch.zeros(2, *shape, each) for shape, each in zip(input_shape.values(), frames, strict=True))
    return (maps, torch.tensor([frames, [each - 1 for each in frames]])), [f"maps_{name}" for name in input_shape]
