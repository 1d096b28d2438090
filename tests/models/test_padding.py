"""What lies behind an utterance's length has no say, whoever fills the batch: forwards, backwards, and as a graph."""

import math
from collections.abc import Callable

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from nni_emodarts.config import load_config
from nni_emodarts.models.baselines import BASELINES, Baseline, build_baseline
from nni_emodarts.models.space import build_model, random_architecture
from nni_emodarts.training.graph import onnx_graph

SHAPE = (2, 20)
LENGTHS = torch.tensor([41, 40, 17, 3, 1])
FILLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "noise": lambda maps: torch.randn_like(maps),
    "huge": lambda maps: torch.full_like(maps, 1e30),
    "infinite": lambda maps: torch.full_like(maps, -math.inf),
    "no number": lambda maps: torch.full_like(maps, math.nan),
}

SHORTCUT = load_config("compact", settings=["space.shortcut=true"]).space
MAKERS: dict[str, Callable[[], nn.Module]] = {
    **{name: (lambda name=name: build_baseline(Baseline(name), 4, SHAPE)) for name in BASELINES},
    **{
        f"architecture {seed}": (
            lambda seed=seed: build_model(random_architecture(load_config("compact").space, 4, SHAPE, seed))
        )
        for seed in range(4)
    },
    "shortcut": lambda: build_model(random_architecture(SHORTCUT, 4, SHAPE, 0)),
}


def batch() -> tuple[Tensor, Tensor]:
    """Maps with zeros behind each length, and which of their frames are real."""
    maps = torch.randn(len(LENGTHS), *SHAPE, int(LENGTHS.max()) + 5)
    real = (torch.arange(maps.shape[-1]) < LENGTHS[:, None])[:, None, None]
    return maps.masked_fill(~real, 0.0), real.expand_as(maps)


def gradients(network: nn.Module, maps: Tensor) -> list[Tensor]:
    torch.manual_seed(1)
    network.zero_grad()
    network(maps, LENGTHS).square().sum().backward()
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("filling", FILLINGS)
@pytest.mark.parametrize("name", MAKERS)
def test_padding_changes_nothing(name: str, filling: str) -> None:
    network = MAKERS[name]()
    zeros, real = batch()
    filled = torch.where(real, zeros, FILLINGS[filling](zeros))
    before = filled.clone()
    for expected, found in zip(gradients(network.train(), zeros), gradients(network, filled), strict=True):
        assert torch.equal(expected, found)
    network.eval()
    assert torch.equal(network(zeros, LENGTHS), network(filled, LENGTHS))
    assert torch.equal(filled.nan_to_num(), before.nan_to_num()), "the caller's maps stay as they are"


@pytest.mark.parametrize("name", ["cnn_lstm", "architecture 0", "architecture 1"])
def test_padding_changes_nothing_in_a_graph(name: str) -> None:
    session = onnxruntime.InferenceSession(onnx_graph(MAKERS[name](), SHAPE), providers=["CPUExecutionProvider"])
    zeros, real = batch()

    def logits(maps: Tensor) -> Tensor:
        (found,) = session.run(None, {"maps": maps.numpy(), "lengths": LENGTHS.numpy()})
        return torch.from_numpy(found)

    expected = logits(zeros)
    assert expected.isfinite().all()
    for fill in FILLINGS.values():
        assert torch.equal(expected, logits(torch.where(real, zeros, fill(zeros))))
