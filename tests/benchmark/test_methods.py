"""The registry of methods, and what follows from a method's entry."""

from pathlib import Path

import pytest

from nni_emodarts.benchmark import METHODS, Cell, Method
from nni_emodarts.benchmark.methods import MethodEntry
from nni_emodarts.config import load_config
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.models.baselines import BASELINES
from nni_emodarts.models.baselines.probe import PROBES
from nni_emodarts.models.baselines.ridge import RIDGES
from nni_emodarts.models.baselines.svm import SVMS

DOCUMENTS = Path(__file__).parents[2] / "docs"


def test_the_documents_name_every_method() -> None:
    text = "".join((DOCUMENTS / name).read_text() for name in ("benchmark.md", "strategies.md"))
    assert [name for name in METHODS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("entry", METHODS.values(), ids=lambda entry: entry.name)
def test_the_code_of_every_method_is_where_it_says(entry: MethodEntry) -> None:
    assert callable(entry.load())


def test_strategies_networks_and_machines_are_methods() -> None:
    config = load_config("tiny")
    assert all(Method(name).strategy(config) == name for name in STRATEGIES)
    assert {name for name in METHODS if Method(name).hand_designed} == set(BASELINES)
    assert {name for name in METHODS if Method(name).svm} == set(SVMS)
    assert {name for name in METHODS if Method(name).on_functionals} == {*SVMS, *RIDGES}
    assert {name for name in METHODS if Method(name).rates_alone} == {*RIDGES, "svr_probe"}
    assert {name for name in METHODS if Method(name).probe} == set(PROBES)
    others = [name for name in METHODS if name not in {*STRATEGIES, *BASELINES, *SVMS, *RIDGES, *PROBES}]
    assert others == ["random_sampling", "search", "ensemble", "distilled", "random_search"]
    searching = {name for name in METHODS if Method(name).searches}
    assert searching == {*others, *STRATEGIES} - {"random_sampling"}
    assert {Method(name).strategy(config) for name in ("search", "ensemble", "distilled")} == {config.search.strategy}


def test_only_random_search_spends_what_another_search_cost() -> None:
    cells = [Cell(Method(name), 2, 3) for name in METHODS]
    sources = {cell.method.name: cell.budget_source for cell in cells if cell.budget_source is not None}
    assert sources == {"random_search": Cell(Method("darts"), 2, 3)}
    assert Method("random_search").strategy(load_config("tiny")) == "darts", "whose settings decide what it spends"


def test_an_architecture_that_is_carried_over_is_searched_by_nothing_whatever_its_name() -> None:
    for name in ("darts", "random_search", "cnn", "compare_svm", "mine"):
        carried = Method(name, "architecture.json")
        assert (carried.searches, carried.budget_source) == (False, None)
        assert not carried.hand_designed
        assert not carried.svm
