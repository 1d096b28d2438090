"""Searches replayed on a table: what each strategy and way to estimate would have chosen, and what that is worth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, cast

import numpy as np

from nni_emodarts.benchmark.table.held import Held
from nni_emodarts.benchmark.table.surrogate import Surrogate, SurrogateError
from nni_emodarts.config.estimate import EstimateConfig
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.config.strategy_options import TrialOptions
from nni_emodarts.metrics.record import Record
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.search.multi_trial.deciding import decide
from nni_emodarts.search.multi_trial.engines import InlineTraining
from nni_emodarts.search.multi_trial.halving import Halving, better_half, rounds_of
from nni_emodarts.search.multi_trial.ledger import Entry, Ledger
from nni_emodarts.search.multi_trial.replicates import Estimate
from nni_emodarts.search.multi_trial.space import ChoiceSpace
from nni_emodarts.search.multi_trial.strategies import make_multi_trial
from nni_emodarts.training.trainer import quiet

DRAWING = "random"
"""The strategy whose candidates are those of a table: both are drawn uniformly from the space."""
PROPOSING = ("evolution", "tpe", "local", "predictor")
"""Strategies whose candidates a table need not hold: they are replayed on a surrogate, `random` beside them."""
Ground = Literal["table", "nested", "surrogate"]
"""What is replayed on: validation parts of a table's folds, inner splits inside each fold, or a surrogate."""
_INTERVAL = (2.5, 97.5)
_RESAMPLES = 2000


@dataclass(frozen=True)
class Setup:
    """A way to search.

    Attributes:
        strategy: its name.
        how: how candidates are measured.
        trainings: budget, in trainings.
    """

    strategy: str
    how: EstimateConfig
    trainings: int

    @property
    def candidates(self) -> int:
        """As many as the budget allows."""
        if not self.how.halving:
            return self.trainings // self.how.replicates
        count = 1
        while count + 1 + sum(rounds_of(count + 1, self.how.replicates)) <= self.trainings:
            count += 1
        return count


@dataclass(frozen=True)
class Outcome:
    """What one search came to.

    Attributes:
        regret: truth of the best architecture, less that of the one that was taken.
        seconds: CPU seconds of its trainings.
    """

    regret: float
    seconds: float


class ReplayRow(Record):
    """What many searches of one kind came to.

    Attributes:
        on: what they were replayed on.
        strategy: how they proposed.
        figure: what they compared, `uar` or `loss`.
        replicates: trainings of a candidate, at most.
        halving: whether only the better half got further ones.
        trainings: the budget.
        candidates: that it was enough for.
        regret: mean, in test UAR.
        low: of its 95 % interval, by bootstrap over searches.
        high: of it.
        cpu_seconds: mean of a search.
    """

    on: Ground
    strategy: str
    figure: str
    replicates: int
    halving: bool
    trainings: int
    candidates: int
    regret: float
    low: float
    high: float
    cpu_seconds: float


class Replayed(Record):
    """All that a replay says.

    Attributes:
        architectures: of the table that were trained on all replicates.
        replicates: folds and seeds of the table.
        searches: replayed for each row.
        surrogate: how wrong the surrogate is; None where nothing was replayed on one.
        rows: a row for each way to search.
    """

    architectures: int
    replicates: int
    searches: int
    surrogate: SurrogateError | None = None
    rows: tuple[ReplayRow, ...]


@dataclass(frozen=True)
class Grounds:
    """What searches are replayed on.

    Attributes:
        held: what a table knows by its folds.
        nested: what it knows inside each of some folds; nothing without lines of inner splits.
        surrogate: of the table; only what draws is replayed where absent.
    """

    held: Held
    nested: tuple[Held, ...] = ()
    surrogate: Surrogate | None = None


def replay(grounds: Grounds, budgets: Sequence[int], searches: int, progress: Progress = silent) -> Replayed:
    """Replay every way to search.

    Args:
        grounds: what is known; searches nested in folds take their folds in turn.
        budgets: in trainings of a search.
        searches: of each way to search; each has a seed of its own.
        progress: called after each way.
    """
    held, nested, surrogate = grounds.held, grounds.nested, grounds.surrogate
    setups = list(_setups(grounds, budgets))
    rows = []
    progress("ways to search", 0, len(setups))
    for number, (on, setup) in enumerate(setups, 1):
        if on == "surrogate" and surrogate is not None:
            outcomes = [search_surrogate(surrogate, setup, seed) for seed in range(searches)]
        elif on == "nested":
            outcomes = [_search_nested(nested, setup, seed) for seed in range(searches)]
        else:
            outcomes = [search_table(held, setup, seed) for seed in range(searches)]
        rows.append(_row(on, setup, outcomes))
        progress("ways to search", number, len(setups))
    return Replayed(
        architectures=len(held),
        replicates=held.count,
        searches=searches,
        surrogate=None if surrogate is None else surrogate.error,
        rows=tuple(rows),
    )


def _search_nested(nested: Sequence[Held], setup: Setup, seed: int) -> Outcome:
    """One search inside a fold; folds come in turn, and once all have come, each begins at another replicate."""
    turn, fold = divmod(seed, len(nested))
    return search_table(nested[fold], setup, seed, begin=turn)


def search_table(held: Held, setup: Setup, seed: int, begin: int | None = None) -> Outcome:
    """One search whose candidates are drawn from a table; each search begins at another replicate.

    Args:
        held: what the table knows.
        setup: how is searched.
        seed: of the draws.
        begin: number of the first replicate; the seed's where absent.
    """
    begin = seed if begin is None else begin
    order = [(begin + place) % held.count for place in range(setup.how.replicates)]
    drawn = np.random.default_rng(seed).permutation(len(held))[: setup.candidates]
    first = 1 if setup.how.halving else setup.how.replicates
    counts = np.full(len(drawn), first)
    racing = [Entry(place, held.architectures[number]) for place, number in enumerate(drawn)]
    for replicates in range(first, setup.how.replicates + 1):
        racing = racing if replicates == first else better_half(racing)
        for entry in racing:
            place = entry.number or 0
            counts[place] = replicates
            entry.score = held.estimate(drawn[place], order[:replicates], setup.how).score
    known = list(zip(drawn, counts, strict=True))
    estimates = {str(number): held.estimate(number, order[:count], setup.how) for number, count in known}
    taken = _taken(estimates, {str(number): held.replicates[number][0].parameters for number in drawn})
    seconds = sum(held.seconds[number, order[:count]].sum() for number, count in known)
    return Outcome(float(held.truth.max() - held.truth[int(taken)]), float(seconds))


def search_surrogate(surrogate: Surrogate, setup: Setup, seed: int) -> Outcome:
    """One search on a surrogate, by the code that searches for real: strategy, ledger, halving and decision.

    Args:
        surrogate: what stands for trainings.
        setup: how is searched; by UAR, since a surrogate knows no answers.
        seed: of the strategy and of the noise.
    """
    first = 1 if setup.how.halving else setup.how.replicates
    figures: dict[str, list[float]] = {}
    known: dict[str, Architecture] = {}

    def train(candidate: ChoiceSpace) -> float:
        architecture = candidate.architecture
        wanted = candidate.replicates or first
        known[architecture.id] = architecture
        figures[architecture.id] = [surrogate.figure(architecture, seed, number) for number in range(wanted)]
        return float(np.mean(figures[architecture.id]))

    options = STRATEGIES[setup.strategy].options.model_validate({"candidates": setup.candidates})
    ledger = Ledger(InlineTraining(train), setup.candidates)
    with quiet():
        strategy = make_multi_trial(setup.strategy, cast(TrialOptions, options), seed)
        if setup.how.halving:
            strategy = Halving(strategy, setup.how.replicates)
        strategy(ChoiceSpace(surrogate.space, 2, (1, 1)), ledger)
        ledger.wait_models()
    estimates = {name: Estimate(tuple(each), {"val_uar": float(np.mean(each))}) for name, each in figures.items()}
    taken = _taken(estimates, dict.fromkeys(figures, 0))  # it knows no parameters: of ties the best is taken
    seconds = sum(len(each) * surrogate.seconds(known[name]) for name, each in figures.items())
    return Outcome(surrogate.best - surrogate.truth(known[taken]), seconds)


def _taken(estimates: Mapping[str, Estimate], parameters: Mapping[str, int]) -> str:
    return decide(estimates, parameters).taken


def _setups(grounds: Grounds, budgets: Sequence[int]) -> Iterator[tuple[Ground, Setup]]:
    """Ways to search that a table can tell of, each with two candidates at least."""
    figures: tuple[Literal["uar", "loss"], ...] = ("uar",) if grounds.held.labels is None else ("uar", "loss")
    yield from (("table", each) for each in _drawing(grounds.held.count, len(grounds.held), figures, budgets))
    if grounds.nested:
        count, fewest = min(each.count for each in grounds.nested), min(map(len, grounds.nested))
        yield from (("nested", each) for each in _drawing(count, fewest, figures, budgets))
    if grounds.surrogate is None:
        return
    for budget, strategy in product(budgets, (DRAWING, *PROPOSING)):
        for how in _estimates(grounds.held.count, "uar"):
            setup = Setup(strategy, how, budget)
            if setup.candidates >= _fewest(strategy):
                yield "surrogate", setup


def _drawing(
    count: int, architectures: int, figures: Sequence[Literal["uar", "loss"]], budgets: Sequence[int]
) -> Iterator[Setup]:
    """Ways to draw from so many architectures with so many replicates."""
    for budget, figure in product(budgets, figures):
        for how in _estimates(count, figure):
            setup = Setup(DRAWING, how, budget)
            if _fewest(DRAWING) <= setup.candidates <= architectures:
                yield setup


def _fewest(strategy: str) -> int:
    return 2 if strategy == DRAWING else 4


def _estimates(count: int, figure: Literal["uar", "loss"]) -> list[EstimateConfig]:
    """Once, by half of the replicates, by all of them, and by halving."""
    plain = [EstimateConfig(folds=replicates, figure=figure) for replicates in sorted({1, max(2, count // 2), count})]
    return [*plain, EstimateConfig(folds=count, figure=figure, halving=True)]


def _row(on: Ground, setup: Setup, outcomes: Sequence[Outcome]) -> ReplayRow:
    regrets = np.array([each.regret for each in outcomes])
    draws = np.random.default_rng(0).integers(len(regrets), size=(_RESAMPLES, len(regrets)))
    low, high = np.percentile(regrets[draws].mean(1), _INTERVAL)
    return ReplayRow(
        on=on,
        strategy=setup.strategy,
        figure=setup.how.figure,
        replicates=setup.how.replicates,
        halving=setup.how.halving,
        trainings=setup.trainings,
        candidates=setup.candidates,
        regret=float(regrets.mean()),
        low=float(low),
        high=float(high),
        cpu_seconds=float(np.mean([each.seconds for each in outcomes])),
    )
