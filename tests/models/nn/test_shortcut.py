"""The linear classifier beside the cells: what it pools, what it adds to a network, and what it costs."""

import numpy as np
import pytest
import torch

from nni_emodarts import Architecture
from nni_emodarts.config import SpaceConfig, load_config
from nni_emodarts.models.costs import architecture_cost
from nni_emodarts.models.nn.shortcut import Shortcut, means_and_deviations
from nni_emodarts.models.space import EmoDartsSpace, build_model, random_architecture

CLASSES, SHAPE, LEVELS = 4, (2, 20), (3, 24)


def spaces(*settings: str) -> tuple[SpaceConfig, SpaceConfig]:
    """A space with the shortcut, and the same without."""
    streams = [{"name": "voice", "kind": "pretrained", "model": "openai/whisper-base", "levels": [0, 3, 5]}]
    options = {"features.streams": streams} if "heard" in settings else {}
    rest = [each for each in settings if each != "heard"]
    with_it, without = (
        load_config("tiny", settings=[*rest, f"space.shortcut={value}"], options=options).space
        for value in ("true", "false")
    )
    return with_it, without


def test_it_pools_means_and_deviations_of_real_frames() -> None:
    lengths = torch.tensor([7, 4, 1])
    rows = torch.randn(3, 5, 9, dtype=torch.float64)
    found = means_and_deviations(rows, lengths).numpy()
    for number, length in enumerate(lengths.tolist()):
        real = rows[number, :, :length].numpy()
        expected = np.concatenate([real.mean(1), np.sqrt(real.var(1) + 1e-6)])
        np.testing.assert_allclose(found[number], expected, rtol=1e-12)


def test_a_sample_is_answered_whoever_is_beside_it() -> None:
    shortcut = Shortcut(10, CLASSES)
    shortcut.set_weights(np.random.default_rng(0).standard_normal((CLASSES, 20)), np.arange(CLASSES))
    maps, lengths = torch.randn(6, 2, 5, 8), torch.tensor([8, 8, 5, 3, 8, 1])
    together = shortcut(maps, lengths)
    for number in range(6):
        alone = shortcut(maps[number : number + 1, ..., : lengths[number]], lengths[number : number + 1])
        torch.testing.assert_close(alone[0], together[number])


def test_what_it_pools_is_told() -> None:
    shortcut = Shortcut(10, CLASSES)
    maps, lengths = torch.randn(6, 2, 5, 8), torch.tensor([8, 8, 5, 3, 8, 1])
    heard = shortcut.pooled(maps, lengths).numpy()
    np.testing.assert_array_equal(heard, means_and_deviations(maps.flatten(1, 2), lengths).numpy())


@pytest.mark.parametrize("heard", [False, True])
def test_a_network_answers_with_the_mean_of_both_and_only_cells_learn(heard: bool) -> None:
    with_it, without = spaces(*(["heard"] if heard else []))
    shape = LEVELS if heard else SHAPE
    architecture = random_architecture(with_it, CLASSES, shape, 1)
    plain = Architecture.from_choices(without, architecture.sample(), CLASSES, shape)
    assert plain.id != architecture.id
    network, other = build_model(architecture).eval(), build_model(plain).eval()
    other.load_state_dict({name: value for name, value in network.state_dict().items() if "shortcut" not in name})
    maps, lengths = torch.randn(3, *shape, 12), torch.tensor([12, 9, 4])
    torch.testing.assert_close(2 * network(maps, lengths), other(maps, lengths))
    bias = np.arange(CLASSES, dtype=np.float32)
    network.shortcut.set_weights(np.zeros_like(network.shortcut.linear.weight), bias)
    torch.testing.assert_close(2 * network(maps, lengths), other(maps, lengths) + torch.from_numpy(bias))
    torch.manual_seed(1)
    told = network.train()(maps, lengths)
    torch.manual_seed(1)
    torch.testing.assert_close(told, other.train()(maps, lengths))
    told.square().sum().backward()
    assert all(each.grad is None for each in network.shortcut.parameters())
    assert any(each.grad is not None for each in network.parameters())


def test_a_supernet_has_none() -> None:
    with_it, _ = spaces("heard")
    assert not any("shortcut" in name for name in EmoDartsSpace(CLASSES, LEVELS, **with_it.model_dump()).state_dict())


@pytest.mark.parametrize(("level", "rows"), [("3", 24), ("0+3", 48)])
def test_its_parameters_are_counted_by_what_is_heard(level: str, rows: int) -> None:
    with_it, without = spaces("heard", "space.joined_levels=2")
    sample = {**random_architecture(with_it, CLASSES, LEVELS, 2).sample(), "level_voice": level}
    counts = []
    for space in (with_it, without):
        architecture = Architecture.from_choices(space, sample, CLASSES, LEVELS)
        built = sum(each.numel() for each in build_model(architecture).parameters())
        assert built == architecture_cost(architecture, "parameters", 9)
        counts.append(built)
    assert counts[0] - counts[1] == CLASSES * (2 * rows + 1)


def test_without_it_a_space_is_what_it_was() -> None:
    with_it, without = spaces("heard")
    assert "shortcut" not in without.identity()
    assert with_it.identity() == {**without.identity(), "shortcut": True}
