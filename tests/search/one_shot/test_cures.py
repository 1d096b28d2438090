"""The cures against collapse, against the arithmetic of their papers."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nni_emodarts import EmoDartsSpace, load_preset
from nni_emodarts.config import load_config
from nni_emodarts.config.strategy_options import DartsOptions
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.costs import ExpectedCost, operation_costs
from nni_emodarts.models.space.mixed import MixedNode, MixedOperation, PartialOperation
from nni_emodarts.search.one_shot import check_space, make_strategy
from nni_emodarts.search.one_shot.darts import CuredDartsSearch, Darts, GumbelNoise
from nni_emodarts.search.one_shot.perturbation import choose_by_perturbation
from nni_emodarts.search.one_shot.terms import BetaDecay, CostTerm
from nni_emodarts.training.task import EmotionTask

LENGTHS = torch.tensor([20, 11])


def supernet(**options: Any) -> EmoDartsSpace:
    space = EmoDartsSpace(**load_preset("tiny"), num_classes=4)
    return Darts(DartsOptions(**options), 5.0, []).mutate_model(space)


def search_of(space: EmoDartsSpace, epoch: int = 0, epochs: int = 5, **options: Any) -> CuredDartsSearch:
    task = EmotionTask(torch.ones(4), 1)
    task.set_model(space)
    search = CuredDartsSearch(task, DartsOptions(**options), 5.0, [])
    search.trainer = SimpleNamespace(current_epoch=epoch, max_epochs=epochs)
    return search


def data(space: EmoDartsSpace) -> torch.Tensor:
    maps = torch.randn(2, *space.input_shape, 20)
    maps[1, ..., 11:] = 0
    return maps


def test_beta_decay_is_the_mean_log_sum_exp_and_grows_over_the_epochs() -> None:
    alphas = {"a": torch.tensor([1.0, 2.0]).requires_grad_(), "b": torch.tensor([0.0, 0.0, 3.0]).requires_grad_()}
    state = SimpleNamespace(edge_alphas=lambda: alphas, progress=lambda: 0.4)
    loss = BetaDecay(5.0)(state)
    expected = (math.log(math.e + math.e**2) + math.log(2 + math.e**3)) / 2
    assert float(loss.detach()) == pytest.approx(5 * 0.4 * expected, rel=1e-6)
    loss.backward()
    for alpha in alphas.values():
        torch.testing.assert_close(alpha.grad, 5 * 0.4 / 2 * torch.softmax(alpha.detach(), 0))


def test_a_cost_penalty_moves_alphas_towards_cheaper_networks() -> None:
    """Descent on the penalty alone: the larger its weight, the cheaper the derived network."""
    config = load_config("tiny")
    costs = operation_costs(config.space, config.features.input_shape, 4, "parameters", 50)
    derived = []
    for weight in (0.0, 1.0, 10.0):
        torch.manual_seed(0)
        search = search_of(supernet())
        alphas = search.arch_parameters()
        for alpha in alphas:
            torch.nn.init.normal_(alpha, std=0.5)
        optimizer = torch.optim.SGD(alphas, 5.0)
        for _ in range(30):
            optimizer.zero_grad()
            CostTerm(weight, ExpectedCost(costs), costs.mean)(search).backward()
            optimizer.step()
        choices = search.export()
        edges = [f"{label}_{state}" for label, kept in choices.items() if isinstance(kept, list) for state in kept]
        derived.append(costs.fixed + sum(costs.edges[edge][choices[edge]] for edge in edges))
    assert derived[0] > derived[1] > derived[2]


def test_partial_channels_see_one_of_k_and_let_the_others_pass() -> None:
    space = supernet(partial_channels=2)
    edges = {part.label: part for part in space.modules() if isinstance(part, PartialOperation)}
    edge = edges["normal_2_0"].eval()
    width = 2 * edge["sep_conv_3x3"].first.depthwise.in_channels
    maps = torch.randn(2, width, 9, 20)
    maps[1, ..., 11:] = 0
    out = edge(maps, LENGTHS)
    assert out.shape == maps.shape
    # after the shuffle every second channel is one that passed by
    torch.testing.assert_close(out[:, 1::2], maps[:, width // 2 :])
    changed = maps.clone()
    changed[:, width // 2 :] += 1
    torch.testing.assert_close(edge(changed, LENGTHS)[:, 0::2], out[:, 0::2])
    plain = sum(part.numel() for part in supernet().parameters())
    assert sum(part.numel() for part in space.parameters()) < 0.6 * plain


def test_partial_channels_of_a_reduction_halve_what_passes_by() -> None:
    space = supernet(partial_channels=2)
    edge = next(part for part in space.modules() if isinstance(part, PartialOperation) and part.label == "reduce_2_0")
    width = 2 * edge["sep_conv_3x3"].first.depthwise.in_channels
    maps = torch.rand(2, width, 9, 13)
    lengths = torch.tensor([13, 6])
    maps[1, ..., 6:] = 0
    out = edge.eval()(maps, lengths)
    assert out.shape == (2, width, 5, 7)
    assert float(out[0, 1, 0, 0].detach()) == pytest.approx(float(maps[0, width // 2, :2, :2].max()))
    alone = edge(maps[1:, ..., :6], lengths[1:])
    torch.testing.assert_close(out[1:, ..., :3], alone)


@pytest.mark.parametrize("parts", [2, 4])
def test_a_partial_supernet_trains(parts: int) -> None:
    space = supernet(partial_channels=parts, accelerated=False).train()
    space(data(space), LENGTHS).square().sum().backward()
    assert all(part._arch_alpha.grad is not None for part in space.modules() if isinstance(part, MixedOperation))


def test_skip_dropout_falls_to_zero_and_touches_skips_only() -> None:
    space = supernet()
    edge = next(part for part in space.modules() if isinstance(part, MixedOperation) and part.label == "seqnn_2_0")
    rates = []
    for epoch in range(5):
        search_of(space, epoch, skip_dropout=0.4).on_train_epoch_start()
        rates.append(edge.skip_dropout)
    assert rates == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0])
    edge.skip_dropout = 0.4
    search_of(space, 2, skip_dropout=0.4).choose(lambda: 0.0, lambda steps: None, seed=1)
    assert edge.skip_dropout == 0, "none is dropped while operations are judged, also of a search that stopped early"
    edge.skip_dropout = 0.4
    sequence = torch.ones(2, 20, 32)
    assert (edge.train().operate("skip_connect", sequence, LENGTHS) == 0).float().mean() == pytest.approx(0.4, abs=0.1)
    assert not (edge.operate("lstm_1", sequence, torch.tensor([20, 20])) == 0).any()
    torch.testing.assert_close(edge.eval().operate("skip_connect", sequence, LENGTHS), sequence)


def test_skips_are_counted_on_chosen_edges_and_stop_the_search() -> None:
    space = supernet()
    search = search_of(space, max_skips=2)
    with torch.no_grad():
        for part in space.modules():
            if isinstance(part, MixedOperation):
                part._arch_alpha.zero_()
                part._arch_alpha[part.names.index("max_pool_3x3" if "max_pool_3x3" in part.names else "rnn_1")] = 1
            elif isinstance(part, MixedNode):
                part._arch_alpha.copy_(torch.arange(part.n_candidates).flip(0))  # takes the first two
        edges = {part.label: part for part in space.modules() if isinstance(part, MixedOperation)}
        assert search.count_skips() == {"normal": 0, "reduce": 0, "seqnn": 0}
        for label in ("normal_2_0", "normal_3_2"):  # the second is not chosen
            edges[label]._arch_alpha[edges[label].names.index("skip_connect")] = 2
        assert search.figures()["skips"] == 1
        assert not search.should_stop()
        edges["normal_3_1"]._arch_alpha[edges["normal_3_1"].names.index("skip_connect")] = 2
    assert search.should_stop()
    assert not search_of(space).should_stop()


def test_alphas_that_have_not_learnt_stop_nothing() -> None:
    space = supernet()
    with torch.no_grad():
        for part in space.modules():
            if isinstance(part, MixedOperation):
                part._arch_alpha[part.names.index("skip_connect")] = 1
    stops = [search_of(space, epoch, warmup_epochs=2, max_skips=1).should_stop() for epoch in range(4)]
    assert stops == [False, False, True, True]


def test_perturbation_keeps_what_hurts_most_when_it_goes() -> None:
    """Each operation and input has a worth of its own; alphas say the opposite and are not heard."""
    space = supernet()
    modules: dict[str, list[Any]] = {}
    for part in space.modules():
        if isinstance(part, MixedOperation | MixedNode):
            modules.setdefault(str(part.label), []).append(part)
    generator = np.random.default_rng(1)
    worth = {label: generator.permutation(len(found[0]._arch_alpha)) for label, found in modules.items()}
    with torch.no_grad():
        for label, found in modules.items():
            found[0]._arch_alpha.copy_(torch.from_numpy(-worth[label]).float())
    tuned = []

    def evaluate() -> float:
        kept = [found[0].kept if found[0].kept is not None else torch.ones(len(worth[label]))
                for label, found in modules.items()]  # fmt: skip
        return float(sum((mask.numpy() * worth[label]).sum() for mask, label in zip(kept, modules, strict=True)))

    choices = choose_by_perturbation(modules, evaluate, lambda: tuned.append(1), seed=0)
    assert set(choices) == set(modules)
    assert len(tuned) == len(modules)
    for label, found in modules.items():
        ranked = np.argsort(-worth[label])
        if isinstance(found[0], MixedNode):
            assert choices[label] == sorted(ranked[:2].tolist())
        else:
            names = [found[0].names[position] for position in ranked]
            assert choices[label] == next(name for name in names if name != "none")
    decided = modules["normal_2_0"][0]
    torch.testing.assert_close(decided.probabilities().sum(), torch.tensor(1.0))
    assert space(data(space), LENGTHS).isfinite().all()


def test_an_edge_of_one_operation_is_not_judged_without_it() -> None:
    options = {**load_preset("tiny"), "cnn_primitives": ("sep_conv_3x3",), "seqnn_primitives": ("lstm_1", "rnn_1")}
    space = Darts(DartsOptions(), 5.0, []).mutate_model(EmoDartsSpace(**options, num_classes=4))
    search = search_of(space)
    modules = {**search.by_label(MixedOperation), **search.by_label(MixedNode)}
    sums = []

    def evaluate() -> float:
        sums.extend(float(found[0].probabilities().detach().sum()) for found in modules.values())
        return 0.5

    choices = choose_by_perturbation(modules, evaluate, lambda: None, seed=0)
    assert choices["normal_2_0"] == "sep_conv_3x3"
    assert np.isfinite(sums).all()
    assert min(sums) > 0


def test_between_equals_perturbation_listens_to_alpha() -> None:
    space = supernet()
    modules: dict[str, list[Any]] = {}
    with torch.no_grad():
        for part in space.modules():
            if isinstance(part, MixedOperation):
                part._arch_alpha[part.names.index("skip_connect")] = 5.0
            if isinstance(part, MixedNode):
                part._arch_alpha.copy_(torch.arange(part.n_candidates))
            if isinstance(part, MixedOperation | MixedNode):
                modules.setdefault(str(part.label), []).append(part)
    choices = choose_by_perturbation(modules, lambda: 0.5, lambda: None, seed=0)
    for label, found in modules.items():
        last = len(found[0]._arch_alpha) - 1
        assert choices[label] == ([last - 1, last] if isinstance(found[0], MixedNode) else "skip_connect")


def test_partial_channels_of_a_single_bin_are_halved_in_time() -> None:
    space = EmoDartsSpace(**{**load_preset("tiny"), "input_shape": (1, 1)}, num_classes=4)
    plain = Darts(DartsOptions(partial_channels=2, accelerated=False), 5.0, []).mutate_model(space).eval()
    assert plain(torch.randn(2, 1, 1, 20), LENGTHS).isfinite().all()


def test_gumbel_noise_is_for_training_only() -> None:
    noise, alpha = GumbelNoise(), torch.randn(7)
    noise.tau = 0.1
    assert torch.equal(noise.eval()(alpha), torch.softmax(alpha, 0))
    assert not torch.equal(noise.train()(alpha), noise(alpha))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["search.options.partial_channels=3"], "space.cnn_channels 4 and space.seqnn_width 32; take one of 1, 2, 4"),
        (["search.options.partial_channels=4", "space.cnn_channels=6"], "take one of 1, 2, of which 1 lets all"),
        (
            ["space.cnn_nodes=1", "space.seqnn_nodes=1", "space.cnn_primitives=[max_pool_3x3]",
             "space.seqnn_primitives=[lstm_1]"],
            "nothing to search",
        ),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_searched_is_refused(settings: list[str], named: str) -> None:
    config = load_config("tiny", settings=settings)
    with pytest.raises(ConfigError, match=named):
        check_space(config.search, config.space)


def test_computing_again_without_the_accelerated_supernet_is_refused() -> None:
    settings = ["search.options.recompute=true", "search.options.accelerated=false"]
    with pytest.raises(ConfigError, match="leave accelerated true, or recompute false"):
        load_config("tiny", settings=settings)


def test_a_strategy_without_a_supernet_has_no_class_here() -> None:
    with pytest.raises(ConfigError, match=r"'random' does not train one supernet.*random_one_shot"):
        make_strategy("random", DartsOptions(), 5.0, [])
