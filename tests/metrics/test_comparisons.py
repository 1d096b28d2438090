import numpy as np
import pytest
from finished_cells import finished

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.comparisons import compare_with, pick_reference, stacked, stacked_folds
from nni_emodarts.metrics.paired import bootstrap_difference, compare_systems, holm, swap_test

SPEAKERS = 8


def cells(skill: float, seeds: int = 2, folds: int = 4) -> list[FinishedCell]:
    """Folds of two speakers each; 10 utterances of each of 3 classes a speaker."""
    generator = np.random.default_rng(int(skill * 100))
    made = []
    for seed in range(1, seeds + 1):
        for fold in range(folds):
            speakers = {}
            for speaker in (2 * fold, 2 * fold + 1):
                right = generator.binomial(10, skill, 3)
                wrong = 10 - right
                speakers[f"{speaker:02d}"] = (np.diag(right) + np.roll(np.diag(wrong), 1, axis=1)).tolist()
            made.append(finished(fold, seed, speakers=speakers))
    return made


def test_every_method_is_compared_with_the_reference() -> None:
    table = {"good": cells(0.8), "darts": cells(0.75), "bad": cells(0.3), "one seed": cells(0.5, seeds=1)}
    found = compare_with("darts", table, deterministic=["one seed"])
    assert [each.method for each in found] == ["good", "bad", "one seed"]
    for each in found:
        expected = compare_systems(stacked(table[each.method]), stacked(table["darts"]))
        assert (each.difference, each.p, tuple(each.interval)) == (
            expected.value,
            expected.p,
            expected.interval,
        )
        folds = (stacked_folds(table[each.method]), stacked_folds(table["darts"]))
        assert tuple(each.interval_folds) == bootstrap_difference(*folds)
        assert tuple(each.interval_folds) != expected.interval, "folds of two speakers"
    for p in ("p", "p_folds"):
        assert [getattr(each, f"{p}_holm") for each in found] == holm([getattr(each, p) for each in found])
    assert found[2].seeds == [1, 2], "those of the one that is not deterministic"
    assert found[1].difference < -0.3
    assert found[1].p == 2 / 2**SPEAKERS


def test_networks_are_compared_on_the_seeds_that_both_have() -> None:
    ours, theirs = cells(0.75, seeds=3), cells(0.6, seeds=4)
    later = [cell for cell in theirs if cell.seed > 1]
    (found,) = compare_with("darts", {"darts": ours, "other": later})
    both = [[cell for cell in each if cell.seed in (2, 3)] for each in (theirs, ours)]
    assert found.seeds == [2, 3]
    assert found.difference == compare_systems(*map(stacked, both)).value
    assert found.p_folds == swap_test(*map(stacked_folds, both))[0]
    (apart,) = compare_with("darts", {"darts": cells(0.75, seeds=1), "other": later})
    assert apart.seeds == [1, 2, 3, 4], "they share none"
    table = {"darts": cells(0.75, seeds=1), "other": theirs}
    (whole,) = compare_with("darts", table, deterministic=["darts"])
    assert whole.seeds == [1, 2, 3, 4], "the reference is the same with every seed"
    assert whole.difference == compare_systems(stacked(theirs), stacked(table["darts"])).value


def test_seeds_of_a_deterministic_method_are_nobodys() -> None:
    later = [cell for cell in cells(0.75, seeds=3) if cell.seed > 1]
    table = {"darts": later, "svm": cells(0.5, seeds=1), "other svm": cells(0.4, seeds=1)}
    assert compare_with("darts", table, ["svm", "other svm"])[0].seeds == [2, 3]
    assert compare_with("svm", table, ["svm", "other svm"])[1].seeds == [1]


def test_whole_folds_are_swapped_too() -> None:
    (found,) = compare_with("darts", {"darts": cells(0.75), "bad": cells(0.3)})
    assert found.p == 2 / 2**SPEAKERS
    assert found.p_folds == 2 / 2**4, "four folds of two speakers each, all of one sign"
    assert stacked_folds(cells(0.5)).sum() == stacked(cells(0.5)).sum()
    assert found.exact
    many = {"darts": cells(0.75, folds=15), "bad": cells(0.3, folds=15)}
    assert not compare_with("darts", many)[0].exact, "of 30 speakers swaps are drawn"


@pytest.mark.parametrize("folds", [4, 15])
def test_folds_of_one_speaker_each_are_speakers(folds: int) -> None:
    def alone(made: list[FinishedCell]) -> list[FinishedCell]:
        return [
            cell.model_copy(update={"fold": int(name), "speakers": {name: counts}})
            for cell in made for name, counts in cell.speakers.items()
        ]  # fmt: skip

    (found,) = compare_with(
        "darts", {"darts": alone(cells(0.55, folds=folds)), "other": alone(cells(0.5, folds=folds))}
    )
    assert found.p == found.p_folds, "also where swaps are drawn: they are the same ones"


def test_the_speakers_of_all_folds_count_together() -> None:
    assert stacked(cells(0.5)).shape == (2, SPEAKERS, 3, 3)


def test_unknown_speakers_of_several_folds_are_all_counted_and_not_one_person() -> None:
    made = [finished(fold, speakers={"": [[3, fold], [0, 3]], "a": [[1, 0], [0, 0]]}) for fold in range(3)]
    found = stacked(made)
    assert found.shape == (1, 4, 2, 2)
    assert found.sum() == 3 * 7 + 3
    assert sorted(found.sum((0, 2, 3)).tolist()) == [3, 6, 7, 8]


def test_the_reference_is_darts_or_the_last_unless_named() -> None:
    assert pick_reference(["darts", "random", "cnn"], None) == "darts"
    assert pick_reference(["random", "cnn"], None) == "cnn"
    assert pick_reference(["darts", "random"], "random") == "random"
    assert pick_reference(["darts"], None) is None
    assert pick_reference([], None) is None
    with pytest.raises(ValueError, match="'lstm' is not among the methods"):
        pick_reference(["darts", "random"], "lstm")
