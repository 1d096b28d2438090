"""The accelerated supernet against the plain modules, in double precision: outputs, gradients, statistics."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from nni_emodarts import EmoDartsSpace
from nni_emodarts.config import CNN_PRIMITIVES, SCOPES
from nni_emodarts.config.strategy_options import DartsOptions, GumbelOptions
from nni_emodarts.models.space.cells import CnnCell, SeqnnCell, plain_states
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.search.one_shot import make_strategy

SMALL = {
    "cnn_cells": 3,
    "cnn_nodes": 2,
    "cnn_channels": 4,
    "reduction_cells": (1,),
    "seqnn_cells": 1,
    "seqnn_nodes": 2,
    "seqnn_width": 8,
    "dropout": 0.0,
}
LENGTHS = (17, 9, 4)


def supernet(accelerated: bool, space: dict[str, Any], strategy: str = "darts", **options: Any) -> EmoDartsSpace:
    """Of the two supernets the accelerated one alone computes again, where the options ask for it."""
    torch.manual_seed(0)
    options["recompute"] = accelerated and options.get("recompute", False)
    kind = GumbelOptions if strategy == "gumbel_darts" else DartsOptions
    made = make_strategy(strategy, kind(accelerated=accelerated, **options), 5.0, [])
    model = made.mutate_model(EmoDartsSpace(4, (1, 13), **space)).double()
    for part in model.modules():
        if isinstance(part, MixedOperation | MixedNode):
            nn.init.normal_(part._arch_alpha)
    return model


def pair(space: dict[str, Any], **options: Any) -> list[EmoDartsSpace]:
    """The plain and the accelerated supernet with the same weights."""
    plain, fast = (supernet(accelerated, space, **options) for accelerated in (False, True))
    fast.load_state_dict(plain.state_dict())
    cells = [part for part in fast.modules() if isinstance(part, CnnCell | SeqnnCell)]
    assert all(cell.compute_states is not plain_states for cell in cells)
    return [plain, fast]


def batch(lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor]:
    maps = torch.randn(len(lengths), 1, 13, max(lengths), dtype=torch.double)
    for row, length in zip(maps, lengths, strict=True):
        row[..., length:] = 0
    return maps, torch.tensor(lengths)


@pytest.mark.parametrize("accelerated", [False, True])
def test_padding_has_no_say(accelerated: bool) -> None:
    model = supernet(accelerated, SMALL)
    maps, lengths = batch()
    noise = maps.clone()
    for row, length in zip(noise, LENGTHS, strict=True):
        row[..., length:] = float("nan")
    for mode in (True, False):
        model.train(mode)
        assert torch.equal(model(maps, lengths), model(noise, lengths))


def assert_equal(models: list[EmoDartsSpace], maps: Tensor, lengths: Tensor) -> None:
    found = []
    for model in models:
        model.zero_grad()
        out = model(maps, lengths)
        out.square().sum().backward()
        found.append(out)
    plain, fast = models
    torch.testing.assert_close(found[1], found[0])
    theirs, gradients = dict(plain.named_parameters()), 0
    for name, parameter in fast.named_parameters():
        expected = theirs[name].grad
        if expected is None:
            assert parameter.grad is None or not parameter.grad.any(), name
            continue
        assert parameter.grad is not None, name
        torch.testing.assert_close(
            parameter.grad, expected, rtol=1e-6, atol=1e-9, msg=lambda text, at=name: f"{at}: {text}"
        )
        gradients += 1
    assert gradients > 10
    for (name, ours), (_, expected) in zip(fast.named_buffers(), plain.named_buffers(), strict=True):
        torch.testing.assert_close(ours, expected, msg=lambda text, at=name: f"{at}: {text}")


@pytest.mark.parametrize(
    ("partial_channels", "shared_depth", "training"),
    [(1, False, True), (1, False, False), (1, True, True), (2, False, False), (4, True, True), (4, False, True)],
)
def test_it_equals_the_plain_modules(partial_channels: int, shared_depth: bool, training: bool) -> None:
    models = pair(SMALL, partial_channels=partial_channels, shared_depth=shared_depth)
    for model in models:
        model.train(training)
    assert_equal(models, *batch())


@pytest.mark.parametrize("partial_channels", [1, 2])
def test_with_normalised_recurrences(partial_channels: int) -> None:
    models = pair({**SMALL, "seqnn_normalization": True}, partial_channels=partial_channels, shared_depth=True)
    assert_equal(models, *batch())


@pytest.mark.parametrize(("partial_channels", "training"), [(1, True), (2, True), (1, False)])
def test_computed_again(partial_channels: int, training: bool) -> None:
    models = pair(SMALL, partial_channels=partial_channels, recompute=True)
    for model in models:
        model.train(training)
    for _ in range(2):  # running statistics move in every step, and once in each
        assert_equal(models, *batch())


def test_computed_again_is_not_kept() -> None:
    def kept(recompute: bool) -> int:
        model, sizes = supernet(True, SMALL, recompute=recompute), []
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()), lambda _: None):
            model(*batch())
        return sum(sizes)

    assert kept(True) < 0.2 * kept(False)


def test_what_is_drawn_at_random_is_drawn_again() -> None:
    """Noise on alphas and dropout on skip connections: the gradient is that of the loss that was computed."""
    kept, again = (supernet(True, SMALL, "gumbel_darts", recompute=recompute) for recompute in (False, True))
    for model in (kept, again):
        for part in model.modules():
            if isinstance(part, MixedOperation):
                part.skip_dropout = 0.4
        torch.manual_seed(1)
        model(*batch()).square().sum().backward()
    for (name, ours), theirs in zip(again.named_parameters(), kept.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=lambda text, at=name: f"{at}: {text}")


@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope(scope: str) -> None:
    assert_equal(pair(SMALL | {"cnn_cells": 1, "reduction_cells": (), "seqnn_scope": scope}), *batch())


@settings(max_examples=10, deadline=None)
@given(
    space=st.fixed_dictionaries(
        {
            "cnn_cells": st.integers(1, 3),
            "cnn_nodes": st.integers(1, 2),
            "cnn_channels": st.integers(1, 5),
            "cnn_primitives": st.lists(st.sampled_from(CNN_PRIMITIVES), min_size=2, unique=True).map(tuple),
            "reduction_cells": st.sampled_from([(), (0,), (0, 1)]),
            "stem_stride": st.sampled_from([1, 2]),
            "seqnn_cells": st.just(1),
            "seqnn_nodes": st.integers(1, 2),
            "seqnn_width": st.integers(2, 6),
        }
    ),
    lengths=st.lists(st.integers(3, 20), min_size=2, max_size=4).map(tuple),
    shared_depth=st.booleans(),
)
def test_any_space(space: dict[str, Any], lengths: tuple[int, ...], shared_depth: bool) -> None:
    space["reduction_cells"] = tuple(cell for cell in space["reduction_cells"] if cell < space["cnn_cells"])
    if set(space["cnn_primitives"]) == {"none"}:
        space["cnn_primitives"] = ("none", "skip_connect")
    assert_equal(pair(space | {"dropout": 0.0}, shared_depth=shared_depth), *batch(lengths))


def test_gumbel_softmax_in_evaluation() -> None:
    models = pair(SMALL, strategy="gumbel_darts")
    for model in models:
        model.eval()
    assert_equal(models, *batch())


def test_operations_that_take_no_part() -> None:
    models = pair(SMALL)
    for model in models:
        edges = [part for part in model.modules() if isinstance(part, MixedOperation)]
        for number, edge in enumerate(edges):
            edge.kept = torch.ones(len(edge.names)).double()
            edge.kept[number % len(edge.names)] = 0.0
        for node in model.modules():
            if isinstance(node, MixedNode):
                node.kept = torch.ones_like(node._arch_alpha)
                node.kept[0] = 0.0
    assert_equal(models, *batch())


def test_dropout_on_skip_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout draws; a function of the values in its place shows that both supernets apply it to the same."""

    def keep_large(maps: Tensor, share: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return maps * (maps > 0.1) * share if training else maps

    monkeypatch.setattr(F, "dropout", keep_large)
    models = pair(SMALL)
    for model in models:
        model.train()
        for part in model.modules():
            if isinstance(part, MixedOperation):
                part.skip_dropout = 0.4
    assert_equal(models, *batch())


def test_single_precision_is_good_enough() -> None:
    models = [model.float() for model in pair(SMALL)]
    maps, lengths = batch()
    plain, fast = (model(maps.float(), lengths) for model in models)
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-4)


def test_shared_depth_is_one_stack_of_layers() -> None:
    apart, shared = (supernet(True, SMALL, shared_depth=shared_depth) for shared_depth in (False, True))
    edge = next(part for part in shared.modules() if isinstance(part, MixedOperation) and part.label == "seqnn_2_0")
    for family in ("lstm", "rnn", "lstm_att", "rnn_att"):
        names = [name for name in edge.names if name.rpartition("_")[0] == family]
        deepest = edge[names[-1]].layers
        for depth, name in enumerate(names, 1):
            assert list(edge[name].layers) == list(deepest[:depth])
    assert edge["lstm_1"].layers[0] is not edge["rnn_1"].layers[0]
    assert edge["lstm_att_1"].score is not edge["lstm_att_2"].score
    of_apart, of_shared = (sum(weight.numel() for weight in model.parameters()) for model in (apart, shared))
    assert of_shared < 0.7 * of_apart
