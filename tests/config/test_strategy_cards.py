"""The list of strategies, its command and its document say the same."""

from collections.abc import Callable
from pathlib import Path

from nni_emodarts.config.strategies import STRATEGY_OPTIONS
from nni_emodarts.config.strategy_cards import CARDS


def test_every_strategy_has_a_card() -> None:
    assert [card.name for card in CARDS] == list(STRATEGY_OPTIONS)


def test_the_document_has_a_row_for_every_strategy() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text().splitlines()
    rows = [line.split("|")[1].strip().strip("`") for line in lines if line.startswith("| `")]
    assert [name for name in rows if name in STRATEGY_OPTIONS] == [card.name for card in CARDS]


def test_the_document_names_every_option() -> None:
    text = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()
    for card in CARDS:
        for name, _ in card.options():
            assert f"`{name.partition('.')[0]}`" in text, f"{card.name}: {name}"


def test_the_command_lists_every_strategy_with_its_options(emodarts: Callable[..., tuple[int, str]]) -> None:
    code, said = emodarts("strategies")
    assert code == 0
    for card in CARDS:
        assert f"  {card.name} " in said
        for name, default in card.options():
            assert f"{name}={default}" in said
    assert "nni_emodarts[rl]" in said
