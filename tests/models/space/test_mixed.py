"""The supernet's modules against the arithmetic of the papers."""

import torch

from nni_emodarts import EmoDartsSpace, build_model, load_preset
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation
from nni_emodarts.nni_bridge.nas import DARTS, InputChoice, LayerChoice

LENGTHS = torch.tensor([20, 11])


def supernet() -> EmoDartsSpace:
    torch.manual_seed(0)
    space = EmoDartsSpace(**load_preset("tiny"), num_classes=4)
    return DARTS().mutate_model(space)


def data(space: EmoDartsSpace) -> torch.Tensor:
    maps = torch.randn(2, *space.input_shape, 20)
    maps[1, ..., 11:] = 0
    return maps


def test_every_choice_becomes_ours_and_labels_share_alphas() -> None:
    space = supernet()
    assert not any(type(part) in (LayerChoice, InputChoice) for part in space.modules())
    mixed = [part for part in space.modules() if isinstance(part, MixedOperation | MixedNode)]
    alphas = {part.label: part._arch_alpha for part in mixed}
    assert all(part._arch_alpha is alphas[part.label] for part in mixed)
    labels = EmoDartsSpace(**load_preset("tiny"), num_classes=4).simplify()
    assert set(alphas) == set(labels)


def test_an_edge_is_the_weighted_sum_of_all_operations() -> None:
    space = supernet()
    edge = next(part for part in space.modules() if isinstance(part, MixedOperation) and part.label == "normal_2_0")
    edge.eval()
    channels = edge["sep_conv_3x3"].first.depthwise.in_channels
    maps = torch.randn(2, channels, 9, 20)
    maps[1, ..., 11:] = 0
    torch.nn.init.normal_(edge._arch_alpha)
    weights = torch.softmax(edge._arch_alpha, 0)
    expected = sum(w * edge[name](maps, LENGTHS) for w, name in zip(weights, edge.names, strict=True))
    torch.testing.assert_close(edge(maps, LENGTHS), expected)


def test_a_node_equals_the_derived_sum_at_uniform_weights() -> None:
    """With equal inputs, softmax(beta) scaled by n_chosen sums what the derived network sums."""
    space = supernet()
    node = next(part for part in space.modules() if isinstance(part, MixedNode) and part.label == "seqnn_3")
    torch.nn.init.zeros_(node._arch_alpha)
    item = torch.randn(2, 5, 8)
    torch.testing.assert_close(node([item] * 3), 2 * item)


def test_a_supernet_set_to_one_network_computes_that_network() -> None:
    """One-hot alphas make the supernet the frozen network, given the same weights."""
    space = supernet()
    sample = {}
    for part in space.modules():
        if isinstance(part, MixedOperation):
            names = [name for name in part.names if name != "none"]
            sample[part.label] = names[sum(map(ord, part.label)) % len(names)]
            with torch.no_grad():
                part._arch_alpha.fill_(-1e9)[part.names.index(sample[part.label])] = 0
    for part in space.modules():
        if isinstance(part, MixedNode):
            sample[part.label] = [0, part.n_candidates - 1]
            with torch.no_grad():
                part._arch_alpha.fill_(-1e9)[sample[part.label]] = 0
    model = build_model(Architecture.from_choices(space.description, sample, 4, space.input_shape))
    weights = space.state_dict()
    for name in model.state_dict():
        parts = name.split(".")  # an edge's operation lies one name deeper in the supernet
        if name in weights or "edges" not in parts:
            continue
        place = parts.index("edges") + 2
        cell, node, edge = name.split(".")[0], int(parts[3]) + 2, parts[place - 1]
        kind = "seqnn" if cell == "seqnn_cells" else ("reduce" if parts[1] == "1" else "normal")
        inside = ".".join([*parts[:place], sample[f"{kind}_{node}_{edge}"], *parts[place:]])
        if inside in weights:
            weights[name] = weights[inside]
    model.load_state_dict({name: weights.get(name, value) for name, value in model.state_dict().items()})
    maps = data(space)
    torch.testing.assert_close(model.eval()(maps, LENGTHS), space.eval()(maps, LENGTHS), atol=1e-5, rtol=1e-4)


def test_export_leaves_none_out() -> None:
    space = supernet()
    edge = next(part for part in space.modules() if isinstance(part, MixedOperation))
    with torch.no_grad():
        edge._arch_alpha.zero_()
        edge._arch_alpha[edge.names.index("none")] = 9
        edge._arch_alpha[edge.names.index("dil_conv_5x5")] = 1
    assert edge.export({}) == {edge.label: "dil_conv_5x5"}
    assert edge.export({edge.label: "x"}) == {}


def test_the_supernet_gives_every_alpha_a_gradient() -> None:
    space = supernet()
    space(data(space), LENGTHS).square().sum().backward()
    for part in space.modules():
        if isinstance(part, MixedOperation | MixedNode):
            assert part._arch_alpha.grad is not None
            assert part._arch_alpha.grad.abs().sum() > 0, part.label
