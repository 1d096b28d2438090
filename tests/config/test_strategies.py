"""The registry of strategies, the command that lists it and its document say the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nni_emodarts.config import load_config
from nni_emodarts.config.strategies import STRATEGIES, Strategy

DOCUMENT = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()


def test_the_document_has_a_row_for_every_strategy() -> None:
    rows = [line.split("|")[1].strip().strip("`") for line in DOCUMENT.splitlines() if line.startswith("| `")]
    assert [name for name in rows if name in STRATEGIES] == list(STRATEGIES)


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=lambda strategy: strategy.name)
def test_the_document_names_every_option(strategy: Strategy) -> None:
    for name, _ in strategy.defaults():
        assert f"`{name.partition('.')[0]}`" in DOCUMENT


def test_the_command_lists_every_strategy_with_its_options(emodarts: Callable[..., tuple[int, str]]) -> None:
    code, said = emodarts("strategies")
    assert code == 0
    for strategy in STRATEGIES.values():
        assert f"  {strategy.name} " in said
        for name, default in strategy.defaults():
            assert f"{name}={default}" in said
    assert "nni_emodarts[rl]" in said


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=lambda strategy: strategy.name)
def test_the_code_of_every_strategy_is_where_it_says(strategy: Strategy) -> None:
    assert callable(strategy.load())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_warm_up_leaves_an_epoch_to_strategies_that_have_one(strategy: str) -> None:
    takes = "warmup_epochs" in STRATEGIES[strategy].options.model_fields
    settings = ["search.epochs=3", *(["search.options.warmup_epochs=9"] if takes else [])]
    options = load_config("tiny", settings=settings, options={"search.strategy": strategy}).search.strategy_options()
    assert options.model_dump().get("warmup_epochs", 0) == (2 if takes else 0)


@pytest.mark.parametrize(
    ("setting", "answer", "without"),
    [
        ("cost.weight=0.5", lambda options: options.penalty.weight, 0.0),
        ("partial_channels=2", lambda options: options.channel_parts, 1),
        ("normalized_recurrence=true", lambda options: options.normalizes_recurrence, False),
    ],
)
def test_a_strategy_without_an_option_answers_as_if_it_were_off(
    setting: str, answer: Callable[..., float], without: float
) -> None:
    for name, strategy in STRATEGIES.items():
        takes = setting.partition("=")[0].partition(".")[0] in strategy.options.model_fields
        settings = ["space.cnn_channels=8", *([f"search.options.{setting}"] if takes else [])]
        options = load_config("tiny", settings=settings, options={"search.strategy": name}).search.strategy_options()
        assert (answer(options) != without) is takes, name
