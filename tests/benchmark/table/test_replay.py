"""Searches replayed on tables whose truth is known."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from noisy_space import ALL, BY_FOLD, BY_SEED, GOOD, SHAPE, NoisySpace

from nni_emodarts.benchmark.table import Table, Training
from nni_emodarts.benchmark.table.held import Held
from nni_emodarts.benchmark.table.replay import Grounds, Setup, replay, search_surrogate, search_table
from nni_emodarts.benchmark.table.surrogate import Surrogate
from nni_emodarts.config import EstimateConfig, load_config
from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space.draws import draw_architectures

FOLDS = 6
ONCE = EstimateConfig(folds=1)
HALVED = EstimateConfig(folds=FOLDS, halving=True)


@cache
def made_up(deviation: float, count: int, plant: int = 0) -> tuple[Table, NoisySpace]:
    """A table of a noisy space: a seed, six folds; test figures have noise of their own."""
    noisy, trainings = NoisySpace(deviation, plant), {}
    drawn = draw_architectures(noisy.space, *SHAPE, [plant, 7], {})
    for number, architecture in zip(range(count), drawn, strict=False):
        for fold in range(FOLDS):
            training = Training(
                architecture=architecture.id, choices=architecture.sample(), number=number, fold=fold, seed=1,
                settings="", recordings="", val_uar=[noisy.figure(architecture, fold, 1)], val_loss=[1.0], best_epoch=1,
                test_uar=noisy.figure(architecture, 100 + fold, 1), parameters=1000 + number, cpu_seconds=10.0 + fold,
                seconds=10.0,
            )  # fmt: skip
            trainings[training.key] = training
    return Table(trainings), noisy


@cache
def ideal(deviation: float) -> Held:
    """Many architectures of known truth without a network: for what searches by drawing are worth."""
    table, noisy = made_up(GOOD, 8)
    known, rng = Held.of(table, noisy.space), np.random.default_rng(3)
    truth = rng.normal(0.7, deviation, 400)
    noise = np.hypot(BY_FOLD, BY_SEED)
    figures = truth[:, None] + rng.normal(0, 0.03, FOLDS) + rng.normal(0, noise, (400, FOLDS))
    base = known.replicates[0][0]
    drawn = draw_architectures(noisy.space, *SHAPE, [1], {})
    return Held(
        tuple(made for _, made in zip(range(400), drawn, strict=False)),
        tuple(tuple(base.model_copy(update={"val_uar": float(each)}) for each in row) for row in figures),
        truth,
        np.full((400, FOLDS), 10.0),
    )


def regret(held: Held, how: EstimateConfig, trainings: int, seeds: int = 300) -> float:
    return float(np.mean([search_table(held, Setup("random", how, trainings), seed).regret for seed in range(seeds)]))


def test_what_a_budget_is_enough_for() -> None:
    assert Setup("random", ONCE, 48).candidates == 48
    assert Setup("random", EstimateConfig(folds=3, seeds=2), 48).candidates == 8
    assert Setup("random", HALVED, 48).candidates == 23, "23 + 12 + 6 + 3 + 2 + 2"


def test_a_search_spends_what_its_trainings_cost_and_its_regret_is_that_of_what_it_takes() -> None:
    held = ideal(GOOD)
    outcome = search_table(held, Setup("random", EstimateConfig(folds=3), 30), 4)
    assert outcome.seconds == pytest.approx(300)
    assert search_table(held, Setup("random", HALVED, 48), 4).seconds == pytest.approx(480)
    drawn = np.random.default_rng(4).permutation(400)[:10]
    figures = held.figures[drawn][:, [4, 5, 0]].mean(1)
    leading = held.truth[drawn[figures.argmax()]]
    assert held.truth.max() - outcome.regret <= leading + 0.05
    assert outcome == search_table(held, Setup("random", EstimateConfig(folds=3), 30), 4)


def test_with_equal_budget_halving_beats_single_trainings_where_noise_is_as_large_as_differences() -> None:
    """Thresholds were set beforehand, from the order statistics of normal figures.

    The best of n single figures of reliability 0.48 lies 0.69 E(max of n) deviations above the mean: 1.9 of 120. Those
    who survive halving have figures of reliability 0.85, which bring 2.0 of 59; 0.1 deviations are 0.0026. Three
    replicates for all are worth what single ones are: 0.86 E(max of 40) is 1.9, too.
    """
    single, halved = regret(ideal(GOOD), ONCE, 120), regret(ideal(GOOD), HALVED, 120)
    assert halved < single - 0.0015
    assert regret(ideal(GOOD), EstimateConfig(folds=3), 120) == pytest.approx(single, abs=0.005)


def test_where_architectures_differ_by_far_more_than_noise_more_candidates_are_better() -> None:
    single = regret(ideal(ALL), ONCE, 48)
    assert single < regret(ideal(ALL), EstimateConfig(folds=6), 48) - 0.02


@pytest.mark.parametrize("deviation", [GOOD, ALL])
def test_a_surrogate_knows_the_table_s_spread_and_says_how_wrong_it_is(deviation: float) -> None:
    table, noisy = made_up(deviation, 100)
    held = Held.of(table, noisy.space)
    assert (len(held), held.count) == (100, FOLDS)
    surrogate = Surrogate(held, noisy.space)
    assert surrogate.noise == pytest.approx(np.hypot(BY_FOLD, BY_SEED), rel=0.12)
    fresh = [made for _, made in zip(range(200), draw_architectures(noisy.space, *SHAPE, [99], {}), strict=False)]
    true, said = np.array([noisy.true(each) for each in fresh]), np.array([surrogate.truth(each) for each in fresh])
    assert said.std() == pytest.approx(true.std(), rel=0.25)
    assert np.corrcoef(true, said)[0, 1] > (0.8 if deviation == ALL else 0.4)
    assert surrogate.error.r2 > (0.8 if deviation == ALL else 0.1)
    assert surrogate.error.rmse < surrogate.error.deviation
    assert surrogate.seconds(fresh[0]) == pytest.approx(12.5, abs=0.1)


def test_the_strategies_that_search_for_real_are_replayed() -> None:
    """All of them, on a table of a hundred, with equal budgets; equal seeds give equal searches."""
    table, noisy = made_up(ALL, 100)
    surrogate = Surrogate(Held.of(table, noisy.space), noisy.space)
    for name in ("random", "evolution", "tpe", "local", "predictor"):
        outcomes = [search_surrogate(surrogate, Setup(name, ONCE, 30), seed) for seed in range(5)]
        assert outcomes[3] == search_surrogate(surrogate, Setup(name, ONCE, 30), 3)
        assert len({each.regret for each in outcomes}) > 1
        assert all(each.seconds == pytest.approx(30 * 12.5, rel=0.01) for each in outcomes)
        assert np.mean([each.regret for each in outcomes]) < ALL, "less than a random network's"
    halved = search_surrogate(surrogate, Setup("predictor", HALVED, 48), 1)
    assert halved.seconds == pytest.approx(48 * 12.5, rel=0.01)


def test_a_replay_says_all_of_itself(tmp_path: Path, emodarts: Callable[..., tuple[int, str]]) -> None:
    table, noisy = made_up(GOOD, 60)
    file = tmp_path / "table.jsonl"
    file.write_text("".join(f"{json.dumps(each.to_data())}\n" for each in table))
    out = tmp_path / "replay.json"
    words = [
        "table-replay",
        file,
        "--preset",
        "pretrained",
        "--set",
        _levels(noisy),
        "--set",
        "space.joined_levels=1",
        "--set",
        "space.shortcut=false",
        "--budgets",
        "12",
        "--searches",
        4,
    ]
    code, said = emodarts(*words, "--out", out)
    assert code == 0, said
    assert "Regret in test UAR, 4 replays each, on 60 architectures, 6 replicates" in said
    assert "surrogate, by cross-validation: R2" in said
    held = json.loads(out.read_text())
    assert {row["strategy"] for row in held["rows"] if row["on"] == "surrogate"} == {
        "random", "evolution", "tpe", "local", "predictor"
    }  # fmt: skip
    assert all(row["low"] <= row["regret"] <= row["high"] for row in held["rows"])
    assert {(row["replicates"], row["halving"]) for row in held["rows"] if row["on"] == "table"} == {
        (1, False), (3, False), (6, False), (6, True)
    }  # fmt: skip
    code, said = emodarts(*words, "--out", out)
    assert code == 2
    assert "--overwrite" in said
    assert emodarts(*words, "--only-drawing")[1].count("surrogate") == 0
    code, said = emodarts("table-replay", file, "--preset", "tiny")
    assert code == 2
    assert "none of the space" in said
    code, said = emodarts(*words[:2], "--budgets", "few")
    assert code == 2
    assert "'few' must be whole numbers" in said


def _levels(noisy: NoisySpace) -> str:
    stream = {"name": "whisper_base", "kind": "pretrained", "model": "openai/whisper-base", "hop_ms": 80.0}
    return f"features.streams={json.dumps([{**stream, 'levels': list(noisy.space.hears[0].levels)}])}"


def test_what_a_table_holds_too_little_of() -> None:
    table, noisy = made_up(GOOD, 60)
    one_fold = Table({key: each for key, each in table.trainings.items() if key.fold == 0})
    with pytest.raises(RunFolderError, match="60 architectures that were trained on the same 1 folds and seeds"):
        Held.of(one_fold, noisy.space)
    with pytest.raises(RunFolderError, match="is none of the space"):
        Held.of(table, load_config("tiny").space)
    part = dict(table.trainings)
    del part[next(iter(part))]
    assert len(Held.of(Table(part), noisy.space)) == 59, "those that lack a fold are left out"


def test_only_ways_that_a_table_can_tell_of_are_replayed() -> None:
    table, noisy = made_up(GOOD, 60)
    held = Held.of(table, noisy.space)
    rows = replay(Grounds(held), [4, 240], 3).rows
    assert {(row.trainings, row.candidates) for row in rows} == {(4, 4), (240, 40)}


def with_inner_splits(table: Table, noisy: NoisySpace, count: int) -> Table:
    """Beside the table three inner splits of folds 0 and 1 for the first architectures, and of fold 2 for three."""
    trainings = dict(table.trainings)
    for each in table:
        if each.number < count and (each.fold < 2 or (each.fold == 2 and each.number < 3)):
            for split in range(3):
                architecture = Architecture.from_choices(noisy.space, each.choices, *SHAPE)
                figure = noisy.figure(architecture, 1000 + 10 * each.fold + split, 1)
                made = each.model_copy(
                    update={"inner": split, "splits": 3, "test_uar": None, "val_uar": [figure], "cpu_seconds": 7.0}
                )
                trainings[made.key] = made
    return Table(trainings)


def test_searches_nested_in_folds_know_inner_splits_and_are_judged_by_their_fold() -> None:
    table, noisy = made_up(GOOD, 60)
    found = Held.nested(with_inner_splits(table, noisy, 40), noisy.space)
    assert [(len(each), each.count) for each in found] == [(40, 3), (40, 3)], "three architectures are too few"
    assert Held.nested(table, noisy.space) == ()
    for fold, held in enumerate(found):
        expected = [noisy.figure(each, 100 + fold, 1) for each in held.architectures]
        assert held.truth.tolist() == pytest.approx(expected)
        inside = [
            [noisy.figure(each, 1000 + 10 * fold + split, 1) for split in range(3)] for each in held.architectures
        ]
        np.testing.assert_allclose(held.figures, inside)
    grounds = Grounds(Held.of(with_inner_splits(table, noisy, 40), noisy.space), found)
    rows = [row for row in replay(grounds, [12], 4).rows if row.on == "nested"]
    assert {(row.strategy, row.replicates, row.candidates) for row in rows} == {
        ("random", 1, 12), ("random", 2, 6), ("random", 3, 4), ("random", 3, 6),
    }  # fmt: skip
    once = next(row for row in rows if row.replicates == 1)
    assert once.cpu_seconds == pytest.approx(12 * 7)
    setup = Setup("random", ONCE, 12)
    expected_regret = np.mean([search_table(found[seed % 2], setup, seed, seed // 2).regret for seed in range(4)])
    assert once.regret == pytest.approx(expected_regret)
