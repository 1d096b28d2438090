"""FLOPs against torch's own counter, and against steps that are written from the definitions."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from drawn_networks import SHAPE, SMALL, some_architecture
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from nni_emodarts.config import PRESETS, SEQNN_PRIMITIVES, load_config
from nni_emodarts.models.baselines.cnn_lstm import CnnLstm
from nni_emodarts.models.costs import architecture_cost, count_flops, frames_per_second
from nni_emodarts.models.costs.parts import PoolingPart, SequenceOperation
from nni_emodarts.models.nn.primitives import sequence_operation
from nni_emodarts.models.nn.recurrence import RecurrentAttention
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling, MeanPooling, StatisticsPooling
from nni_emodarts.models.space import build_model, random_architecture


def torch_flops(module: Callable[..., Any], *inputs: Any) -> int:
    """What torch counts. In float64 recurrences run as the linear maps that it knows."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops())


def attention_flops(model: nn.Module, *inputs: Tensor) -> int:
    """2 for each value that a learnt weighted mean over time adds up; torch does not count these products."""
    seen: list[int] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        factor = 2 if isinstance(module, RecurrentAttention | StatisticsPooling) else 1
        seen.append(2 * factor * given[0].numel())

    hooks = [
        part.register_forward_hook(note)
        for part in model.modules()
        if isinstance(part, RecurrentAttention | AttentionPooling)
    ]
    model(*inputs)
    for hook in hooks:
        hook.remove()
    return sum(seen)


@pytest.mark.parametrize("seed", range(16))
def test_flops_are_those_that_torch_counts_in_the_built_network(seed: int) -> None:
    drawn = some_architecture(seed)
    frames = 1 + seed
    model = build_model(drawn).double().eval()
    inputs = (torch.randn(1, *drawn.input_shape, frames, dtype=torch.float64), torch.tensor([frames]))
    counted = torch_flops(model, *inputs) + attention_flops(model, *inputs)
    assert architecture_cost(drawn, "flops", frames) == counted


@pytest.mark.parametrize("preset", PRESETS)
def test_flops_of_presets_are_those_that_torch_counts(preset: str) -> None:
    config = load_config(preset)
    drawn = random_architecture(config.space, 4, config.features.input_shape, 0)
    frames = frames_per_second(config.features)
    model = build_model(drawn).double().eval()
    inputs = (torch.randn(1, *drawn.input_shape, frames, dtype=torch.float64), torch.tensor([frames]))
    with torch.no_grad():
        counted = torch_flops(model, *inputs) + attention_flops(model, *inputs)
    assert architecture_cost(drawn, "flops", frames) == counted


def run_by_steps(recurrence: nn.LSTM | nn.RNN, sequence: Tensor) -> Tensor:
    """(T, D) -> (T, H), one matrix product at a time, written from the definition of the cells."""
    into, onto = recurrence.weight_ih_l0, recurrence.weight_hh_l0
    state = memory = torch.zeros(1, recurrence.hidden_size)
    outputs = []
    for frame in sequence:
        gates = frame[None] @ into.T + state @ onto.T + recurrence.bias_ih_l0 + recurrence.bias_hh_l0
        if isinstance(recurrence, nn.LSTM):
            take, forget, value, give = gates.chunk(4, 1)
            memory = forget.sigmoid() * memory + take.sigmoid() * value.tanh()
            state = give.sigmoid() * memory.tanh()
        else:
            state = gates.tanh()
        outputs.append(state)
    return torch.cat(outputs)


def operate_by_steps(module: Any, sequence: Tensor) -> Tensor:
    """`RecurrentAttention` or `StackedRecurrence` of one utterance (T, D), in matrix products only."""
    if not isinstance(module, RecurrentAttention):
        for layer in module.layers:
            sequence = run_by_steps(layer, sequence)
        return sequence
    for layer in module.layers:
        back = run_by_steps(layer.backwards, sequence.flip(0)).flip(0)
        sequence = torch.cat([run_by_steps(layer.forwards, sequence), back], 1)
    weights = torch.softmax(sequence @ module.score.weight.T, 0)
    context = weights.T @ sequence
    of_states, of_context = module.output.weight.chunk(2, 1)
    return sequence @ of_states.T + context @ of_context.T + module.output.bias


@pytest.mark.parametrize("name", [name for name in SEQNN_PRIMITIVES if name not in ("skip_connect", "none")])
def test_recurrences_cost_what_their_steps_do(name: str) -> None:
    width, frames = 6, 5
    part = SequenceOperation(frames, width, False, name)
    module = sequence_operation(name, width).eval()
    sequence = torch.randn(frames, width)
    assert part.flops == torch_flops(operate_by_steps, module, sequence)
    expected = module(sequence[None], torch.tensor([frames]))[0]
    torch.testing.assert_close(operate_by_steps(module, sequence), expected)


def pool_by_products(module: Any, sequence: Tensor) -> Tensor:
    """A pooling of one utterance (T, D) with its weighted means as matrix products."""
    if isinstance(module, MeanPooling):
        return sequence.mean(0)
    hidden = torch.tanh(F.linear(sequence, module.hidden.weight, module.hidden.bias))
    weights = torch.softmax(hidden @ module.score.weight.T, 0).T
    mean = weights @ sequence
    if not isinstance(module, StatisticsPooling):
        return mean[0]
    return torch.cat([mean, (weights @ (sequence - mean).square() + 1e-6).sqrt()], 1)[0]


@pytest.mark.parametrize(
    ("kind", "layer"), [("mean", MeanPooling), ("attention", AttentionPooling), ("statistics", StatisticsPooling)]
)
def test_poolings_cost_what_their_products_do(kind: str, layer: Any) -> None:
    part = PoolingPart(5, 6, kind)
    module = layer(6)
    sequence = torch.randn(5, 6)
    assert part.flops == torch_flops(pool_by_products, module, sequence)
    torch.testing.assert_close(pool_by_products(module, sequence), module(sequence[None], torch.tensor([5]))[0])


@pytest.mark.parametrize("seed", range(12))
def test_flops_that_are_counted_in_a_built_network_are_those_of_its_parts(seed: int) -> None:
    drawn = some_architecture(seed)
    model = build_model(drawn)
    weights = copy.deepcopy(model.state_dict())
    assert count_flops(model, drawn.input_shape, 1 + seed) == architecture_cost(drawn, "flops", 1 + seed)
    assert model.training
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())


def test_flops_of_a_hand_designed_network_are_those_of_its_layers() -> None:
    """By hand: blocks of 3 x 3 convolutions on halving maps, a linear map of each frame, 4 gates in each direction."""
    frames, bins, flops, channels = 50, 20, 0, 1
    for out in (4, 6):
        flops += 2 * 9 * channels * out * bins * frames
        frames, bins = -(-frames // 2), -(-bins // 2)
        flops += 2 * 9 * out * out * bins * frames
        channels = out
    width = 10
    flops += 2 * frames * channels * bins * width
    flops += 2 * frames * 2 * 4 * (width // 2) * (width + width // 2)
    flops += 2 * frames * (width * width + width + width)  # pooling: hidden, score, weighted mean
    flops += 2 * width * 3
    assert count_flops(CnnLstm(3, (1, 20), channels=(4, 6), width=5), (1, 20), 50) == flops


def test_flops_of_a_sequence_grow_with_its_length() -> None:
    drawn = random_architecture(SMALL, 3, SHAPE, 0)
    short, long = (architecture_cost(drawn, "flops", frames) for frames in (16, 32))
    assert long - 2 * short == pytest.approx(-2 * SMALL.seqnn_width * 3)  # all but the classifier is a sum over frames


class Recurrent(nn.Module):
    """Maps (1, 1, F, T) -> the last states of a recurrence over time, mapped to 3 logits."""

    def __init__(self, recurrence: nn.RNNBase) -> None:
        super().__init__()
        self.recurrence = recurrence
        self.output = nn.LazyLinear(3)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        sequence = maps[0].transpose(1, 2) if self.recurrence.batch_first else maps[0].permute(2, 0, 1)
        states, last = self.recurrence(sequence)
        last = last[0] if isinstance(last, tuple) else last
        assert states.shape[:2] == sequence.shape[:2]
        out: Tensor = self.output(last.transpose(0, 1).flatten(1))
        return out


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    "kind", [nn.GRU, nn.RNN, nn.LSTM, functools.partial(nn.LSTM, proj_size=2)], ids=["gru", "rnn", "lstm", "projected"]
)
def test_flops_of_any_recurrence_are_those_that_torch_counts(kind: Any, batch_first: bool) -> None:
    recurrence = kind(6, 5, num_layers=2, bidirectional=True, batch_first=batch_first)
    model = Recurrent(recurrence).double()
    inputs = (torch.randn(1, 1, 6, 9, dtype=torch.float64), torch.tensor([9]))
    model(*inputs)
    assert count_flops(model, (1, 6), 9) == torch_flops(model, *inputs)
    assert torch.equal(model(*inputs), model(*inputs)), "no hook of the count stays"
