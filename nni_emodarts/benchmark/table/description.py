"""What a table says of its space: what its figures vary by, what a choice can win, where named architectures stand."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from nni_emodarts.benchmark.table.records import Table
from nni_emodarts.benchmark.table.variance import Components, carried_by, components, fold_means
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.record import Record

_TEST, _VALIDATION = "test_uar", "val_uar"
_COLUMNS = ("architecture", "fold", "seed", _TEST)


class Wins(Record):
    """Test UAR of ways to choose an architecture, each a mean over folds.

    Attributes:
        drawn: of an architecture drawn at random.
        by_own_fold: each fold takes what validates best there, once trained: what an honest choice of one training each
            comes to. Of ties the one with fewer parameters is taken.
        by_all_folds: one architecture for all folds, which validates best on average. Validation speakers of one fold
            test in others, so that it flatters.
        best_of_each_fold: what tests best on each fold: no choice can win more on this table.
        best: what tests best on average over folds.
        rank_correlation: Spearman's, of validation and test means.
    """

    drawn: float
    by_own_fold: float
    by_all_folds: float
    best_of_each_fold: float
    best: float
    rank_correlation: float


class Placed(Record):
    """Where an architecture would stand in a table, by its test UAR on the same folds and seeds.

    Attributes:
        architecture: its id.
        test_uar: mean over folds.
        rank: 1 where none of the table is better; those that are equal share the better rank.
        of: architectures in the ranking, this one included.
    """

    architecture: str
    test_uar: float
    rank: int
    of: int


class Description(Record):
    """All of it.

    Attributes:
        trainings: lines of the table, those that diverged and those of inner splits included.
        architectures: that were trained on all of its folds.
        folds: how many.
        seeds: trainings of an architecture on a fold, on average.
        inner: lines of inner splits.
        diverged: trainings that diverged.
        cpu_seconds: of a training, on average.
        test: what test UAR varies by.
        validation: what validation UAR varies by.
        carried: choice -> the share of the variance between architectures' test UAR that it carries alone.
        wins: what choices are worth.
        placed: where named architectures stand.
    """

    trainings: int
    architectures: int
    folds: int
    seeds: float
    inner: int
    diverged: int
    cpu_seconds: float
    test: Components
    validation: Components
    carried: dict[str, float]
    wins: Wins
    placed: tuple[Placed, ...] = ()


def describe_table(table: Table, beside: Table | None = None) -> Description:
    """Describe a table by the lines of its folds' own parts.

    Args:
        table: the table.
        beside: trainings, with the same settings and of the same recordings, of architectures to place in it.

    Raises:
        RunFolderError: it holds fewer than two architectures on all of two folds; or `beside` was made with other
            settings or recordings, or lacks folds.
    """
    frame = table.to_frame()
    own = _own(frame)
    tested = fold_means(own, _TEST)
    if len(tested) < 2 or tested.shape[1] < 2:
        raise RunFolderError(
            f"the table holds {len(tested)} architectures on all of {tested.shape[1]} folds; a description needs two "
            f"of each: make more of it with emodarts table"
        )
    own = own[own["architecture"].isin(tested.index)]
    return Description(
        trainings=len(table),
        architectures=len(tested),
        folds=tested.shape[1],
        seeds=round(len(own) / tested.size, 3),
        inner=sum(each.inner is not None for each in table),
        diverged=sum(each.error is not None for each in table),
        cpu_seconds=round(float(frame["cpu_seconds"].mean()), 3),
        test=components(own, _TEST),
        validation=components(own, _VALIDATION),
        carried={str(label): round(float(share), 4) for label, share in carried_by(own).items()},
        wins=_wins(own, tested),
        placed=() if beside is None else _place(table, beside, own),
    )


def _own(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines of folds' own parts; an empty table has no columns."""
    return frame[frame["inner"].isna() & frame[_TEST].notna()] if len(frame) else pd.DataFrame(columns=list(_COLUMNS))


def _wins(own: pd.DataFrame, tested: pd.DataFrame) -> Wins:
    sizes = own.groupby("architecture")["parameters"].first().loc[tested.index].to_numpy()
    smallest_first = np.argsort(sizes, kind="stable")  # so that of ties the smallest is the first
    test = tested.to_numpy()[smallest_first]
    validation = fold_means(own, _VALIDATION).loc[tested.index].to_numpy()[smallest_first]
    return Wins(
        drawn=float(test.mean()),
        by_own_fold=float(test[validation.argmax(0), np.arange(test.shape[1])].mean()),
        by_all_folds=float(test[validation.mean(1).argmax()].mean()),
        best_of_each_fold=float(test.max(0).mean()),
        best=float(test.mean(1).max()),
        rank_correlation=float(spearmanr(validation.mean(1), test.mean(1)).statistic),
    )


def _place(table: Table, beside: Table, own: pd.DataFrame) -> tuple[Placed, ...]:
    """Architectures by their place, among those that the table has on the same folds with the same seeds."""
    _refuse_other(table, beside)
    placed = []
    for name, trainings in _own(beside.to_frame()).groupby("architecture"):
        keys = pd.MultiIndex.from_frame(trainings[["fold", "seed"]])
        others = own[(own["architecture"] != name) & pd.MultiIndex.from_frame(own[["fold", "seed"]]).isin(keys)]
        counts = others.groupby("architecture")[_TEST].agg(["mean", "size"])
        whole = counts.loc[counts["size"] == len(keys), "mean"]
        if whole.empty:
            raise RunFolderError(
                f"no architecture of the table was trained on all folds and with all seeds of {name}: "
                f"{_listed(trainings)}; train both on the same ones"
            )
        mean = float(trainings[_TEST].mean())
        rank = 1 + int((whole > mean).sum())
        placed.append(Placed(architecture=str(name), test_uar=mean, rank=rank, of=len(whole) + 1))
    return tuple(sorted(placed, key=lambda each: each.rank / each.of))


def _listed(trainings: pd.DataFrame) -> str:
    found: Mapping[object, pd.DataFrame] = dict(iter(trainings.groupby("seed")))
    return "; ".join(f"seed {seed}, folds {','.join(map(str, sorted(rows['fold'])))}" for seed, rows in found.items())


def _refuse_other(table: Table, beside: Table) -> None:
    known = next(iter(table))
    for training in beside:
        if (training.settings, training.recordings) != (known.settings, known.recordings):
            raise RunFolderError(
                f"the training of {training.key} is of other settings or recordings than the table; make it with the "
                f"same configuration"
            )
