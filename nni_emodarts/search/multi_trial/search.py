"""A search whose candidates are trained one by one: a fold's training speakers -> the best architecture of several."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.config.strategy_options import GridOptions, TrialOptions
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError, ExperimentError
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.costs import check_limit, within
from nni_emodarts.models.flat_space import count_architectures, flat_sample
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.nni_bridge.nas import Strategy
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.experiment_folder import refuse_unwritable_home
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Progress, Report, silent
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CANDIDATES,
    ENVIRONMENT,
    HISTORY,
    METRICS,
    SEARCH_RUN,
    RunFolder,
)
from nni_emodarts.search.level_first import level_first
from nni_emodarts.search.multi_trial.deciding import Decision, decide, first_of_the_best
from nni_emodarts.search.multi_trial.engines import InlineTraining
from nni_emodarts.search.multi_trial.estimating import Measures, measures
from nni_emodarts.search.multi_trial.evaluation import candidate_epochs
from nni_emodarts.search.multi_trial.experiment import CandidateExperiment, run, stop_leftovers, trial_command
from nni_emodarts.search.multi_trial.folder import SearchFolder
from nni_emodarts.search.multi_trial.halving import Halving, in_order, rounds_of
from nni_emodarts.search.multi_trial.ledger import PATIENCE, Entry, Ledger
from nni_emodarts.search.multi_trial.replicates import Estimate
from nni_emodarts.search.multi_trial.space import ChoiceSpace
from nni_emodarts.search.multi_trial.strategies import check_searchable, make_multi_trial
from nni_emodarts.training.trainer import environment_of, pick_device, quiet

Accepts = Callable[[Architecture], bool]
Told = tuple[Progress, Report | None]
"""Who hears of a search."""


def search_by_trials(
    task: FoldTask,
    folder: RunFolder,
    progress: Progress = silent,
    report: Report | None = None,
    accepts: Accepts | None = None,
) -> Architecture:
    """Let a strategy choose candidates, train each on the fold's training part, and take the best on validation.

    Outside a trial the candidates are trials of an NNI experiment, several at once. Inside a trial no experiment may be
    nested, so they are trained one after another in this process. The test speakers' recordings are never read.

    A search that was cut off goes on: candidates whose figures are in the folder are not trained again.

    Args:
        task: the fold to search on.
        folder: where the run's files go.
        progress: called after each candidate.
        report: given each candidate's validation UAR.
        accepts: whether a candidate may be trained; `max_cost` of the options where absent.

    Returns:
        The architecture, also written to the folder.

    Raises:
        ConfigError: the strategy cannot search this space, or no candidate was accepted.
        ProtocolError: the fold has fewer training speakers than `search.estimate` wants splits.
        RunFolderError: the folder holds a search of other settings, or another process writes to it.
        ExperimentError: NNI broke off, or every candidate failed.
    """
    config = task.config
    options = cast(TrialOptions, config.search.strategy_options())
    check_searchable(options, config.space)
    pick_device(config.device)  # a device that is not there is refused before any trial fails for it
    accepts = accepts or _within(config, task.corpus)
    how = measures(task)
    if not nni_trial.in_trial():
        refuse_unwritable_home()
    with folder.held():
        return _search(task, folder, (progress, report), accepts, how)


def _search(task: FoldTask, folder: RunFolder, told: Told, accepts: Accepts, how: Measures) -> Architecture:
    """Search by trials, as the one writer of the folder."""
    folder.begin(SEARCH_RUN)
    task.note_corpus(folder)
    search_folder = SearchFolder.start(folder, task)
    if folder.has(METRICS):
        return Architecture.load(folder.path / ARCHITECTURE)
    stop_leftovers(search_folder.experiments())
    watch = Stopwatch()
    first = level_first(task)
    search = _Search(first.task, search_folder, told, accepts, how)
    search.run_inline() if nni_trial.in_trial() else search.run_as_trials()
    return search.finish(watch, first.figures)


def _within(config: ExperimentConfig, corpus: Corpus) -> Accepts:
    """What `max_cost` of the options allows: architecture -> whether it may be trained.

    Raises:
        ConfigError: no network of the space keeps it.
    """
    limit = cast(TrialOptions, config.search.strategy_options()).max_cost
    if limit is None:
        return lambda architecture: True
    check_limit(limit, config.space, config.features, corpus.num_outputs, corpus.shapes)
    return lambda architecture: within(architecture, limit, config.features)


def _estimated(config: ExperimentConfig) -> JsonObject:
    """What an architecture's origin says of how candidates were measured; nothing where that was done once."""
    how = config.search.estimate
    return {} if how is None else {"estimate": how.meaning()}


class _Search:
    """What the parts of one search share."""

    def __init__(self, task: FoldTask, folder: SearchFolder, told: Told, accepts: Accepts, how: Measures) -> None:
        self._task = task
        self._config, self._corpus = task.config, task.corpus
        self._folder = folder
        self._progress, self._report = told
        self._accepts = accepts
        self._how = how
        self._options = cast(TrialOptions, task.config.search.strategy_options())
        self._most = min(self._options.candidates, count_architectures(task.config.space))
        self._origin = task.origin(epochs=candidate_epochs(task.config), **_estimated(task.config))
        self._what = "candidates"
        self._ledger: Ledger | None = None
        self._ended: set[str] = set()
        self._further, self._most_further = 0, sum(rounds_of(self._most, how.most)) if how.first < how.most else 0

    def run_inline(self) -> None:
        """Train the candidates in this process."""
        ledger = self._open(InlineTraining(self._train_inline), concurrency=1)
        with quiet():
            self._strategy()(self._space(), ledger)

    def run_as_trials(self) -> None:
        """Train the candidates as trials of an NNI experiment."""
        left = self._trials_left()
        if left <= 0:
            self._open(InlineTraining(self._train_inline), concurrency=1)
            return
        concurrency = min(self._options.concurrency, left)
        command = trial_command(
            self._folder.trial_config, self._folder.candidates, self._task.fold.index, self._task.seed, concurrency
        )
        with quiet():
            experiment = CandidateExperiment(
                f"{self._config.search.strategy}, fold {self._task.fold.index}, seed {self._task.seed}",
                self._space(),
                self._strategy(),
                lambda engine: self._open(engine, concurrency),
                trial_command=command,
                trial_concurrency=concurrency,
                max_trial_number=left,
            )
            run(experiment, self._on_experiment)

    def _trials_left(self) -> int:
        """Trainings that are still to be made, at most."""
        held = self._folder.finished(self._how)
        left = self._most - len(held)
        if self._how.first == self._how.most:
            return left
        counts = [len(known.figures) for name in held if (known := self._how.held(self._folder.candidate(name)))]
        for replicates, wanted in enumerate(rounds_of(self._most, self._how.most), 2):
            left += max(0, wanted - sum(count >= replicates for count in counts))
        return left

    def finish(self, watch: Stopwatch, before: JsonMapping) -> Architecture:
        """Write the run's files; the metrics last, since they mark a finished search.

        Args:
            watch: that ran since the search began.
            before: what the metrics say of what was decided before.
        """
        entries = in_order(self._entries())
        estimates = self._folder.estimates(entries, self._how)
        self._refuse_nothing(entries, estimates)
        decision = self._decide(estimates)
        table = self._folder.table(entries, self._compared(decision, estimates))
        run_folder, tracks = self._folder.run, self._config.tracks
        run_folder.write_csv(CANDIDATES, marked(table, tracks))
        run_folder.write_csv(HISTORY, marked(_history(table, self._task.headline.val), tracks))
        run_folder.write_json(ENVIRONMENT, environment_of(pick_device(self._config.device)))
        taken = next(entry for entry in entries if entry.architecture.id == decision.taken)
        architecture = self._with_origin(taken.architecture)
        run_folder.write_json(ARCHITECTURE, architecture.to_dict())
        metrics = {
            **estimates[decision.taken].described(),
            "architecture": architecture.id,
            "fold": self._task.fold.index,
            "seed": self._task.seed,
            "epochs": candidate_epochs(self._config),
            "candidates": len(entries),
            "failed": sum(entry.score is None for entry in entries),
            "rejected": len(self._ledger.rejected) if self._ledger is not None else 0,
            "given_up": self._ledger is not None and self._ledger.given_up,
            **self._folder.cost(entries),
            **before,
            **tracks,
        }
        if self._how.how is not None:
            metrics["estimate"] = {**self._how.how.meaning(), **decision.described()}
        run_folder.write_json(METRICS, {**metrics, **watch.read()})
        return architecture

    def _decide(self, estimates: Mapping[str, Estimate]) -> Decision:
        if self._how.how is None:
            return first_of_the_best(estimates)
        return decide(estimates, {name: self._folder.parameters(name) for name in estimates})

    def _compared(self, decision: Decision, estimates: Mapping[str, Estimate]) -> dict[str, JsonObject]:
        """What the table of candidates says of estimates; nothing where each candidate was trained once."""
        if self._how.how is None:
            return {}
        return {
            name: {**each.described(), "replicates": len(each.figures), "tied": name in decision.tied}
            for name, each in estimates.items()
        }

    def _space(self) -> ChoiceSpace:
        shuffled = isinstance(self._options, GridOptions) and self._options.shuffle
        return ChoiceSpace(
            self._config.space,
            self._corpus.num_outputs,
            self._corpus.shapes,
            self._task.seed if shuffled else None,
        )

    def _strategy(self) -> Strategy:
        proposing = make_multi_trial(self._config.search.strategy, self._options, self._task.seed)
        if self._how.first == self._how.most:
            return proposing
        return Halving(proposing, self._how.most, self._held)

    def _held(self, architecture: Architecture, replicates: int) -> float | None:
        known = self._how.held(self._folder.candidate(architecture.id), replicates)
        return None if known is None else known.score

    def _open(self, engine: Any, concurrency: int) -> Ledger:
        known = self._folder.finished(self._how)
        self._ended.update(known)
        self._ledger = Ledger(engine, self._most, concurrency, self._accepts, known, self._on_start, self._on_end)
        return self._ledger

    def _entries(self) -> list[Entry]:
        return list(self._ledger.entries.values()) if self._ledger is not None else []

    def _on_experiment(self, name: str, port: int) -> None:
        self._folder.add_experiment(name, port)
        self._what = f"candidates (NNI's web UI: http://localhost:{port})"
        self._progress(self._what, len(self._folder.finished(self._how)), self._most)

    def _on_start(self, entry: Entry) -> None:
        self._folder.candidate(entry.architecture.id).write_json(
            ARCHITECTURE, self._with_origin(entry.architecture, candidate=entry.number).to_dict()
        )

    def _on_end(self, entry: Entry) -> None:
        if entry.score is None:
            self._folder.note_failure(entry)
        known = self._folder.estimates([entry], self._how).get(entry.architecture.id)
        figures = {self._task.headline.val: known.chosen_by} if known is not None else {}
        if entry.architecture.id in self._ended:
            self._further += 1
            self._progress("further trainings of the better half", self._further, self._most_further, **figures)
        else:
            self._ended.add(entry.architecture.id)
            self._progress(self._what, sum(each.ended for each in self._entries()), self._most, **figures)
        if self._report is not None and known is not None:
            self._report(known.chosen_by)

    def _train_inline(self, candidate: ChoiceSpace) -> float:
        architecture = candidate.architecture
        folder = self._folder.candidate(architecture.id)
        return self._how.measure(architecture, folder, candidate.replicates).score

    def _with_origin(self, architecture: Architecture, **more: Any) -> Architecture:
        return Architecture.from_choices(
            self._config.space, flat_sample(architecture), self._corpus.num_outputs, self._corpus.shapes,
            {**self._origin, **more},
        )  # fmt: skip

    def _refuse_nothing(self, entries: list[Entry], estimates: Mapping[str, Estimate]) -> None:
        if estimates:
            return
        if entries:
            raise ExperimentError(
                f"all {len(entries)} candidates failed; run one of {self._folder.candidates} by itself with emodarts "
                f"retrain, or go on with --resume when the cause is gone. The last of them:\n{entries[-1].error}"
            )
        raise ConfigError(
            f"none of {PATIENCE} candidates in a row was accepted; raise search.options.max_cost.limit, or make the "
            f"space smaller (section space)"
        )


def _history(table: pd.DataFrame, figure: str) -> pd.DataFrame:
    """The best figure after each candidate."""
    return pd.DataFrame(
        {"candidate": table["candidate"], figure: table[figure], f"best_{figure}": table[figure].cummax()}
    )
