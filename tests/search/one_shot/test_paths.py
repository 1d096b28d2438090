from typing import Any

from nni_emodarts.search.one_shot.paths import best_path, distinct
from nni_emodarts.search.one_shot.random_one_shot import Alternating


def sample(inputs: list[int], *operations: str) -> dict[str, Any]:
    return {"normal_3": inputs} | {f"normal_3_{state}": name for state, name in enumerate(operations)}


def test_paths_that_differ_in_edges_that_no_node_takes_are_one() -> None:
    draws = [sample([0, 1], "a", "b", "c"), sample([0, 1], "a", "b", "d"), sample([0, 2], "a", "b", "c")]
    stream = iter(draws)
    assert list(distinct(lambda: next(stream), 2)) == [draws[0], draws[2]]


def test_a_space_that_holds_fewer_paths_gives_those() -> None:
    assert len(list(distinct(lambda: sample([0, 1], "a", "b", "c"), 5))) == 1


def test_the_best_path_is_the_first_of_the_highest_figure() -> None:
    taken: list[dict[str, Any]] = []
    samples = [{"edge": name} for name in "abc"]
    figures = {"a": 0.2, "b": 0.7, "c": 0.7}
    assert best_path(iter(samples), taken.append, lambda: figures[taken[-1]["edge"]]) == {"edge": "b"}
    assert taken == samples


def test_two_loaders_take_turns_and_the_shorter_one_begins_anew() -> None:
    loader = Alternating(["a", "b", "c", "d", "e"], [1])
    assert len(loader) == 5
    assert list(loader) == ["a", 1, "b", 1, "c"]
    assert list(loader) == ["a", 1, "b", 1, "c"]
