"""Methods of a benchmark against one of them: is the difference real?"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.intervals import gather_speakers, stack_speakers
from nni_emodarts.metrics.paired import (
    bootstrap_difference,
    compare_figures,
    compare_systems,
    difference_interval,
    holm,
    swap_figures,
    swap_test,
)
from nni_emodarts.metrics.rated import stacked_fold_tallies, stacked_tallies
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.tracks import Track, one_track

Cells = Sequence[FinishedCell]
"""The finished cells of a method: all folds and seeds."""
FIRST_CHOICE = "darts"


class Comparison(Record):
    """A method against another one, the reference, on the same utterances.

    Attributes:
        method: its name.
        reference: the other one's.
        seeds: that were compared.
        difference: UAR of the method less the reference's; where dimensions are learnt, CCC, or the mean of both.
        interval: bootstrap over speakers.
        interval_folds: over folds, whose speakers one network answers.
        p: of the paired test that swaps whole speakers.
        exact: whether all swaps were counted.
        p_folds: of the test that swaps whole folds.
        p_holm: `p` adjusted for the number of comparisons.
        p_folds_holm: likewise `p_folds`.
    """

    method: str
    reference: str
    seeds: list[int]
    difference: float
    interval: tuple[float, float]
    interval_folds: tuple[float, float]
    p: float
    exact: bool
    p_folds: float
    p_holm: float
    p_folds_holm: float


def pick_reference(names: Sequence[str], wanted: str | None) -> str | None:
    """The method that the others are compared with: the wanted one, else `darts`, else the last.

    Args:
        names: of the methods.
        wanted: one of them.

    Returns:
        Its name; None where there is nothing to compare.

    Raises:
        ValueError: the wanted one is not among them.
    """
    if wanted is not None and wanted not in names:
        raise ValueError(f"{wanted!r} is not among the methods ({', '.join(names)})")
    if len(set(names)) < 2:
        return None
    return wanted or (FIRST_CHOICE if FIRST_CHOICE in names else names[-1])


def compare_with(reference: str, cells: Mapping[str, Cells], deterministic: Collection[str] = ()) -> list[Comparison]:
    """Each other method against the reference, on the same utterances and with the same seeds.

    The seeds are those that both have, or those of the one that is not deterministic; all of both where they share
    none.

    Raises:
        ValueError: they are of two tracks.

    Args:
        reference: name of a method.
        cells: name -> cells of each method, the reference among them.
        deterministic: methods that every seed gives the same, so that one of theirs stands against all of another's.
    """
    one_track({name: Track.of(own[0].to_data()) for name, own in cells.items() if own})
    rows = []
    for name in (each for each in cells if each != reference):
        theirs, ours = cells[name], cells[reference]
        random = [own for each, own in ((name, theirs), (reference, ours)) if each not in deterministic]
        if len(random) == 2:
            theirs, ours = _with_shared_seeds(theirs, ours)
            random = [theirs, ours]
        seeds = sorted({cell.seed for own in random or (theirs, ours) for cell in own})
        rows.append(_compared(name, reference, seeds, theirs, ours))
    adjusted, adjusted_folds = holm([row.p for row in rows]), holm([row.p_folds for row in rows])
    return [
        row.model_copy(update={"p_holm": p, "p_folds_holm": p_folds})
        for row, p, p_folds in zip(rows, adjusted, adjusted_folds, strict=True)
    ]


def _compared(name: str, reference: str, seeds: list[int], theirs: Cells, ours: Cells) -> Comparison:
    """One method against another, alone, so that p needs no adjustment."""
    if ours[0].task == "emotion":
        found = compare_systems(stacked(theirs), stacked(ours))
        by_fold = stacked_folds(theirs), stacked_folds(ours)
        p_folds, interval_folds = swap_test(*by_fold)[0], bootstrap_difference(*by_fold)
    else:
        figure = ours[0].counting.score
        found = compare_figures(stacked_tallies(theirs), stacked_tallies(ours), figure)
        sums = stacked_fold_tallies(theirs), stacked_fold_tallies(ours)
        p_folds, interval_folds = swap_figures(*sums, figure)[0], difference_interval(*sums, figure)
    return Comparison(
        method=name,
        reference=reference,
        seeds=seeds,
        difference=found.value,
        interval=found.interval,
        interval_folds=interval_folds,
        p=found.p,
        exact=found.exact,
        p_folds=p_folds,
        p_holm=found.p,
        p_folds_holm=p_folds,
    )


def _with_shared_seeds(theirs: Cells, ours: Cells) -> tuple[Cells, Cells]:
    """Luck of a seed on one side alone would be taken for a difference of the methods."""
    shared = {cell.seed for cell in theirs} & {cell.seed for cell in ours}
    if not shared:
        return theirs, ours
    return [cell for cell in theirs if cell.seed in shared], [cell for cell in ours if cell.seed in shared]


def stacked(cells: Cells) -> npt.NDArray[np.int64]:
    """Confusions of a method's speakers (seeds, speakers, K, K), seeds in their order, the folds' speakers together."""
    seeds = sorted({cell.seed for cell in cells})
    return stack_speakers(
        [gather_speakers((cell.fold, cell.speakers) for cell in cells if cell.seed == seed) for seed in seeds]
    )


def stacked_folds(cells: Cells) -> npt.NDArray[np.int64]:
    """Confusions of a method's folds (seeds, folds, K, K).

    One network answers all speakers of a fold, so that the luck of its training is theirs together: a difference that
    is to hold for other trainings must hold over folds.
    """
    seeds = sorted({cell.seed for cell in cells})
    return stack_speakers(
        [{f"{cell.fold:06d}": _all_speakers(cell) for cell in cells if cell.seed == seed} for seed in seeds]
    )


def _all_speakers(cell: FinishedCell) -> npt.NDArray[np.int64]:
    return np.asarray(np.sum(list(cell.speakers.values()), axis=0), dtype=np.int64)
