"""Strategies that train candidates one by one, driven in this process with a cheap figure in place of a training."""

import contextlib
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from nni_emodarts.config import SpaceConfig, load_config
from nni_emodarts.config.strategies import STRATEGIES, of_family
from nni_emodarts.config.strategy_options import TrialOptions
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import architecture_at, count_architectures, flat_sample
from nni_emodarts.nni_bridge.nas import ExecutionEngine, FinalMetricEvent, ModelEventType, ModelStatus, TrainingEndEvent
from nni_emodarts.search.multi_trial.engines import InlineTraining
from nni_emodarts.search.multi_trial.ledger import PATIENCE, Ledger
from nni_emodarts.search.multi_trial.space import ChoiceSpace
from nni_emodarts.search.multi_trial.strategies import check_searchable, make_multi_trial

NAMES = [
    pytest.param(strategy.name, marks=pytest.mark.skipif(not strategy.installed, reason="needs its extra"))
    for strategy in of_family("multi-trial")
]
PLANTED = SpaceConfig(
    cnn_cells=1, cnn_nodes=1, reduction_cells=(),
    cnn_primitives=("max_pool_3x3", "skip_connect", "sep_conv_3x3", "none"),
    seqnn_cells=1, seqnn_nodes=1, seqnn_primitives=("lstm_1", "rnn_1", "skip_connect"),
)  # fmt: skip
"""Four choices of three each: 81 architectures."""
BEST = {"normal_2_0": "sep_conv_3x3", "normal_2_1": "skip_connect", "seqnn_2_0": "lstm_1", "seqnn_2_1": "rnn_1"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """NNI's strategies look for a free worker each second."""
    monkeypatch.setattr("nni.nas.strategy.base.time", SimpleNamespace(sleep=lambda seconds: time.sleep(0.001)))


def goodness(architecture: Architecture) -> float:
    """Share of the planted choices that an architecture has."""
    return sum(architecture.choices[label] == best for label, best in BEST.items()) / len(BEST)


def options_of(name: str, **given: Any) -> TrialOptions:
    options = STRATEGIES[name].options.model_validate(given)
    assert isinstance(options, TrialOptions)
    return options


def drive(
    name: str, seed: int, candidates: int, space: SpaceConfig = PLANTED,
    figure: Callable[[Architecture], float] = goodness, engine: Any = None, concurrency: int = 1,
    known: dict[str, tuple[Architecture, float]] | None = None, accepts: Callable[[Architecture], bool] | None = None,
    **given: Any,
) -> tuple[Ledger, list[str]]:  # fmt: skip
    """Run a strategy to its end: the ledger, and the ids in the order of their training."""
    options = options_of(name, candidates=candidates, **given)
    trained: list[str] = []

    def train(candidate: ChoiceSpace) -> float:
        trained.append(candidate.architecture.id)
        return figure(candidate.architecture)

    most = min(candidates, count_architectures(space))
    ledger = Ledger(engine or InlineTraining(train), most, concurrency, accepts or (lambda _: True), known)
    make_multi_trial(name, options, seed)(ChoiceSpace(space, 4, (1, 40), seed), ledger)
    ledger.wait_models()
    return ledger, trained


def best_of(ledger: Ledger) -> float:
    return max(entry.score or 0.0 for entry in ledger.entries.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_candidates(name: str) -> None:
    first, again, other = (drive(name, seed, 10)[1] for seed in (3, 3, 4))
    assert first == again != other
    assert len(set(first)) == len(first) == 10, "none is trained twice"


@pytest.mark.parametrize("name", NAMES)
def test_every_candidate_is_a_network_of_the_space(name: str) -> None:
    space = load_config("tiny").space
    ledger, trained = drive(name, 1, 12, space, figure=lambda architecture: len(architecture.id) / 100)
    assert list(ledger.entries) == trained
    for entry in ledger.entries.values():
        assert "none" not in entry.architecture.choices.values()
        assert Architecture.from_choices(space, flat_sample(entry.architecture), 4, (1, 40)).id == entry.architecture.id


@pytest.mark.parametrize("name", NAMES)
def test_a_small_space_is_covered_and_then_left(name: str) -> None:
    space = PLANTED.model_copy(update={"cnn_primitives": ("skip_connect",), "seqnn_primitives": ("lstm_1", "rnn_1")})
    ledger, trained = drive(name, 0, 50, space)
    assert len(trained) == len(set(trained)) == count_architectures(space) == 4
    assert best_of(ledger) == max(goodness(entry.architecture) for entry in ledger.entries.values())


def successes(name: str, candidates: int, seeds: int = 20) -> float:
    """Share of seeds whose search found the planted architecture."""
    return sum(best_of(drive(name, seed, candidates)[0]) == 1.0 for seed in range(seeds)) / seeds


@pytest.mark.parametrize("name", NAMES)
def test_the_planted_architecture_is_found(name: str) -> None:
    """40 different ones of 81, of which one is planted: drawn evenly, it is among them with a chance of 40/81.

    Of 20 seeds even draws then succeed in 4 or more with a chance of 0.998 (binomial). What learns from figures must
    not fall behind that either, and what mutates the best or estimates its densities must do clearly better.
    """
    least = {"random": 0.2, "grid": 0.2, "policy_rl": 0.4, "evolution": 0.8, "tpe": 0.5, "local": 0.8, "predictor": 0.8}
    assert successes(name, 40) >= least[name]


def test_grid_without_shuffle_keeps_the_order() -> None:
    at = [Architecture.from_choices(PLANTED, architecture_at(PLANTED, index), 4, (1, 40)).id for index in range(81)]
    assert [candidate.architecture.id for candidate in ChoiceSpace(PLANTED, 4, (1, 40)).grid()] == at
    drawn = [candidate.architecture.id for candidate in ChoiceSpace(PLANTED, 4, (1, 40), 7).grid()]
    assert drawn != at
    assert sorted(drawn) == sorted(at)


def test_shuffled_grid_reaches_every_choice_of_a_huge_space() -> None:
    """NNI shuffles the first hundred of its order, which differ in the last labels only."""
    space = load_config("paper").space
    ledger, _ = drive("grid", 0, 60, space, figure=lambda _: 0.5)
    firsts = {entry.architecture.choices["normal_2_0"] for entry in ledger.entries.values()}
    assert len(firsts) == 7


def test_what_was_trained_before_is_not_trained_again() -> None:
    """A search that goes on ends with the candidates that an uninterrupted one has."""
    whole, order = drive("evolution", 2, 12)
    known = {name: (whole.entries[name].architecture, goodness(whole.entries[name].architecture)) for name in order[:5]}
    resumed, rest = drive("evolution", 2, 12, known=known)
    assert rest == order[5:]
    assert set(resumed.entries) == set(order)
    assert sorted(resumed.entries, key=lambda name: resumed.entries[name].number or 0) == order


def test_what_an_earlier_run_trained_is_not_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to repeat, the search then goes on to what is new."""
    whole, order = drive("random", 2, 12)
    known = {name: (whole.entries[name].architecture, 0.5) for name in order[:8]}
    monkeypatch.setattr("nni_emodarts.search.multi_trial.ledger.PATIENCE", 5)
    resumed, rest = drive("random", 2, 12, known=known)
    assert rest == order[8:]
    assert not resumed.given_up


def test_a_finished_search_trains_nothing() -> None:
    whole, order = drive("random", 2, 6)
    known = {name: (whole.entries[name].architecture, 0.5) for name in order}
    assert drive("random", 2, 6, known=known)[1] == []


@pytest.mark.parametrize("name", NAMES)
def test_rejected_candidates_are_never_trained_and_do_not_count(name: str) -> None:
    def accepts(architecture: Architecture) -> bool:
        return architecture.choices["seqnn_2_0"] != "lstm_1"

    ledger, trained = drive(name, 0, 10, accepts=accepts)
    assert len(trained) == 10
    assert all(accepts(entry.architecture) for entry in ledger.entries.values())
    assert ledger.rejected
    assert not ledger.rejected & set(trained)


@pytest.mark.parametrize("name", ["evolution", "tpe"])
def test_a_strategy_that_brings_nothing_acceptable_is_given_up(name: str) -> None:
    ledger, trained = drive(name, 0, 10, load_config("tiny").space, accepts=lambda _: False)
    assert trained == []
    assert ledger.given_up
    assert len(ledger.rejected) <= PATIENCE


@pytest.mark.parametrize("name", NAMES)
def test_failing_candidates_do_not_sink_a_search(name: str) -> None:
    def figure(architecture: Architecture) -> float:
        if architecture.choices["seqnn_2_0"] == "lstm_1":
            raise RuntimeError("planted")
        return goodness(architecture)

    ledger, _ = drive(name, 1, 24, figure=figure)
    failed = [entry for entry in ledger.entries.values() if entry.score is None]
    assert len(ledger.entries) == 24
    assert 0 < len(failed) < 24
    assert all(entry.error == "RuntimeError: planted" for entry in failed)


@pytest.mark.parametrize("name", ["evolution", "tpe", "random"])
def test_all_candidates_may_fail(name: str) -> None:
    """Evolution has no parent then."""

    def figure(architecture: Architecture) -> float:
        raise RuntimeError("planted")

    ledger, _ = drive(name, 1, 6, figure=figure)
    assert [entry.score for entry in ledger.entries.values()] == [None] * 6


class ThreadedTraining(ExecutionEngine):  # type: ignore[misc]
    """Trains in threads, as NNI's training service does: events come from others than the strategy's thread."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self._workers, self._busy, self._lock = workers, 0, threading.Lock()
        self.most_at_once = 0

    def submit_models(self, *models: ChoiceSpace) -> None:
        for model in models:
            with self._lock:
                self._busy += 1
                self.most_at_once = max(self.most_at_once, self._busy)
            threading.Thread(target=self._train, args=(model,)).start()

    def _train(self, model: ChoiceSpace) -> None:
        time.sleep(0.03 * (1 + int(model.architecture.id, 16) % 4))  # longer than a strategy takes to choose
        with self._lock:
            self._busy -= 1
            self.dispatch_model_event(FinalMetricEvent(model, {"default": goodness(model.architecture), "more": 1.0}))
            self.dispatch_model_event(TrainingEndEvent(model, ModelStatus.Trained))

    def idle_worker_available(self) -> bool:
        return self._busy < self._workers

    def budget_available(self) -> bool:
        return True

    def explain(self, candidate: ChoiceSpace) -> str:
        return ""


@pytest.mark.parametrize("name", NAMES)
def test_several_at_once(name: str) -> None:
    engine = ThreadedTraining(4)
    ledger, _ = drive(name, 1, 20, engine=engine, concurrency=4)
    assert len(ledger.entries) == 20
    assert 1 < engine.most_at_once <= 4
    for entry in ledger.entries.values():
        assert entry.score == goodness(entry.architecture), "each figure stands with its own architecture"


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"8 candidates of a space of 81 .*shuffle=true.*random"):
        check_searchable(options_of("grid", shuffle=False), PLANTED)
    check_searchable(options_of("grid", shuffle=False, candidates=81), PLANTED)
    with pytest.raises(ConfigError, match="'darts' does not train each candidate by itself"):
        make_multi_trial("darts", options_of("random"), 0)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("evolution", {"population_size": 8}, "population_size: 8 is not less than candidates"),
        ("evolution", {"population_size": 2, "sample_size": 3}, "sample_size: 3 is more than the population of 2"),
        ("tpe", {"startup": 20}, "startup: 20 is not less"),
        ("local", {"startup": 8}, "startup: 8 is not less"),
        ("predictor", {"startup": 8}, "startup: 8 is not less"),
        ("policy_rl", {"samples_per_update": 8}, "samples_per_update: 8 is not less"),
    ],
)
def test_options_under_which_nothing_is_learned(name: str, given: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_config("tiny", options={"search.strategy": name, "search.options": given})


def test_a_fault_in_the_engine_s_thread_is_raised_in_the_strategy_s() -> None:
    """Such as a full disk: nobody listens there, and the search would wait for ever."""

    class FullError(Exception):
        pass

    def on_end(entry: Any) -> None:
        raise FullError

    engine = ThreadedTraining(1)
    engine.dispatch_model_event = silenced(engine.dispatch_model_event)  # type: ignore[method-assign]
    ledger = Ledger(engine, 5, on_end=on_end)
    with pytest.raises(FullError):
        make_multi_trial("random", options_of("random"), 0)(ChoiceSpace(PLANTED, 4, (1, 40)), ledger)


class ByHand(ExecutionEngine):  # type: ignore[misc]
    """Ends a training when it is reported to."""

    def submit_models(self, *models: ChoiceSpace) -> None:
        self.model = models[0]

    def end(self) -> None:
        self.dispatch_model_event(FinalMetricEvent(self.model, 0.5))
        self.dispatch_model_event(TrainingEndEvent(self.model, ModelStatus.Trained))


class EndsBehind:
    """A lock behind whose first release another thread ends the training."""

    def __init__(self, lock: Any, end: Callable[[], None]) -> None:
        self._lock, self._ends = lock, [end]

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: Any) -> None:
        self._lock.release()
        if self._ends:
            thread = threading.Thread(target=self._ends.pop())
            thread.start()
            thread.join()


def test_a_candidate_that_ends_while_it_is_proposed_again_is_answered_once() -> None:
    """NNI's TPE forgets a model at its first answer, and fails at a second one."""
    engine, ended = ByHand(), []
    ledger = Ledger(engine, 8, 2)
    ledger.register_model_event_callback(ModelEventType.TrainingEnd, lambda event: ended.append(event.model))
    space = ChoiceSpace(PLANTED, 4, (1, 40))
    first, again = (space.freeze(architecture_at(PLANTED, 5)) for _ in range(2))
    ledger.submit_models(first)
    ledger._lock = EndsBehind(ledger._lock, engine.end)  # type: ignore[assignment]
    ledger.submit_models(again)
    assert sorted(map(id, ended)) == sorted(map(id, (first, again)))
    later = space.freeze(architecture_at(PLANTED, 5))
    ledger.submit_models(later)
    assert ended[-1] is later


def silenced(call: Callable[[Any], None]) -> Callable[[Any], None]:
    def quietly(event: Any) -> None:
        with contextlib.suppress(Exception):
            call(event)

    return quietly
