"""A network as an ONNX graph, for viewers."""

import warnings
from collections.abc import Mapping
from io import BytesIO

import onnx
import torch
from torch import nn

_FRAMES = 64  # of the example that is traced; the graph takes any number


def onnx_graph(model: nn.Module, input_shape: tuple[int, int], metadata: Mapping[str, str] | None = None) -> bytes:
    """The network maps (N, C, F, T), lengths (N,) -> logits (N, K) as ONNX, with texts that say what it is of.

    The tracing exporter is used since the newer one freezes the length of recurrent layers.
    """
    training = model.training
    device = next(model.parameters()).device
    model.eval().cpu()
    example = torch.zeros(2, *input_shape, _FRAMES), torch.tensor([_FRAMES, _FRAMES - 1])
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            buffer,  # type: ignore[arg-type]  # it takes any binary file
            input_names=["maps", "lengths"],
            output_names=["logits"],
            dynamic_axes={"maps": {0: "batch", 3: "frames"}, "lengths": {0: "batch"}, "logits": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    model.train(training).to(device)
    if not metadata:
        return buffer.getvalue()
    graph = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(graph, dict(metadata))
    return bytes(graph.SerializeToString())
