"""What a table says of its space, on tables that are small enough to see it by eye."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nni_emodarts.benchmark.table import Table, Training
from nni_emodarts.benchmark.table.description import describe_table
from nni_emodarts.errors import RunFolderError

Figures = Mapping[str, list[tuple[float, float]]]
"""Architecture -> validation and test UAR by fold."""
FIGURES: Figures = {
    "small": [(0.7, 0.50), (0.6, 0.70), (0.5, 0.60)],
    "large": [(0.7, 0.65), (0.8, 0.55), (0.6, 0.75)],
    "poor": [(0.4, 0.30), (0.3, 0.40), (0.2, 0.35)],
}
SIZES = {"small": 10, "large": 20, "poor": 30}


def made(figures: Figures, seed: int = 1, settings: str = "s") -> Table:
    trainings = [
        Training(
            architecture=name, choices={"pooling": "mean" if name == "poor" else "attention"}, number=number, fold=fold,
            seed=seed, settings=settings, recordings="r", val_uar=[validation], val_loss=[1.0], best_epoch=1,
            test_uar=test, parameters=SIZES.get(name, 5), cpu_seconds=10.0, seconds=10.0,
        )
        for number, (name, row) in enumerate(figures.items())
        for fold, (validation, test) in enumerate(row)
    ]  # fmt: skip
    return Table({each.key: each for each in trainings})


def test_what_choices_win() -> None:
    described = describe_table(made(FIGURES))
    wins = described.wins
    assert wins.drawn == pytest.approx((0.5 + 0.7 + 0.6 + 0.65 + 0.55 + 0.75 + 0.3 + 0.4 + 0.35) / 9)
    assert wins.by_own_fold == pytest.approx((0.50 + 0.55 + 0.75) / 3), "of the tie on fold 0 the smaller one"
    assert wins.by_all_folds == wins.best == pytest.approx(0.65)
    assert wins.best_of_each_fold == pytest.approx((0.65 + 0.70 + 0.75) / 3)
    assert wins.rank_correlation == 1
    assert described.carried["pooling"] > 0.9
    assert (described.architectures, described.folds, described.seeds, described.cpu_seconds) == (3, 3, 1, 10)


def test_only_what_was_trained_on_all_folds_counts_and_inner_splits_do_not() -> None:
    table = made(FIGURES)
    whole = describe_table(table)
    cut = made({"cut": [(0.9, 0.9)]})
    inner = [each.model_copy(update={"inner": 0, "splits": 3, "test_uar": None}) for each in table]
    failed = [each.model_copy(update={"seed": 9, "error": "infinite loss", "val_uar": None}) for each in cut]
    more = Table({**table.trainings, **cut.trainings, **{each.key: each for each in (*inner, *failed)}})
    described = describe_table(more)
    assert (described.trainings, described.inner, described.diverged) == (9 + 1 + 9 + 1, 9, 1)
    assert described.wins == whole.wins
    assert described.test == whole.test


def test_architectures_are_placed_among_those_of_the_same_folds_and_seeds() -> None:
    table = made(FIGURES)
    beside = made({"new": [(0.1, 0.62), (0.1, 0.62), (0.1, 0.62)], "best": [(0.1, 0.6), (0.1, 0.7), (0.1, 0.8)]})
    placed = describe_table(table, beside).placed
    assert [(each.architecture, each.rank, each.of) for each in placed] == [("best", 1, 4), ("new", 2, 4)]
    one_fold = Table({key: each for key, each in beside.trainings.items() if key.fold == 1})
    places = {each.architecture: each.rank for each in describe_table(table, one_fold).placed}
    assert places == {"best": 1, "new": 2}, "on fold 1 none is above 0.70, and `small` is its equal"
    known = describe_table(table, made({"large": FIGURES["large"]})).placed[0]
    assert (known.rank, known.of) == (1, 3), "an architecture is not compared with itself"
    inner = [each.model_copy(update={"inner": 0, "splits": 3, "test_uar": None}) for each in beside]
    assert describe_table(table, Table({each.key: each for each in inner})).placed == (), "they have no test part"
    assert describe_table(table, Table({})).placed == ()


def test_what_cannot_be_compared_is_refused() -> None:
    table = made(FIGURES)
    with pytest.raises(RunFolderError, match="other settings"):
        describe_table(table, made({"new": [(0.1, 0.6)]}, settings="t"))
    with pytest.raises(RunFolderError, match="seed 2, folds 0"):
        describe_table(table, made({"new": [(0.1, 0.6)]}, seed=2))
    with pytest.raises(RunFolderError, match="1 architectures on all of 3 folds"):
        describe_table(made({"small": FIGURES["small"]}))
    with pytest.raises(RunFolderError, match="0 architectures"):
        describe_table(Table({}))


def test_the_command_says_and_writes_it(tmp_path: Path, emodarts: Callable[..., tuple[int, str]]) -> None:
    file, beside, out = tmp_path / "table.jsonl", tmp_path / "beside.jsonl", tmp_path / "table.json"
    new = made({"new": [(0.1, 0.62), (0.1, 0.62), (0.1, 0.62)]})
    for path, table in ((file, made(FIGURES)), (beside, new)):
        path.write_text("".join(f"{json.dumps(each.to_data())}\n" for each in table))
    code, said = emodarts("table-describe", file, "--beside", beside, "--out", out)
    assert code == 0, said
    assert "3 architectures on all of 3 folds" in said
    assert "new: test UAR 0.620, place 2 of 4" in said
    assert json.loads(out.read_text())["wins"]["best"] == pytest.approx(0.65)
    code, said = emodarts("table-describe", file, "--out", out)
    assert code == 2
    assert "--overwrite" in said
