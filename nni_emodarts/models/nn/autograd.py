"""What torch hands to both passes of a function with a backward pass of its own."""

from torch import Size, Tensor
from torch.autograd.function import FunctionCtx


class Context(FunctionCtx):
    """Torch's context by what it holds, which torch's own class does not name. Torch makes it; nobody else does.

    Attributes:
        saved_tensors: what the forward pass saved.
        needs_input_grad: whether a gradient is asked for, by argument of the forward pass.
    """

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward pass; None stands for one that is not there."""


class ConvolutionContext(Context):
    """Of a convolution: its stride and dilation."""

    stride: int
    dilation: int


class NormalizationContext(Context):
    """Of a normalisation: what it adds to a variance."""

    eps: float


class SliceContext(Context):
    """Of a slice: which bins and frames it takes, and the shape of what it is taken of."""

    slices: tuple[slice, slice]
    shape: Size
