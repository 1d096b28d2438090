"""From the steps of a part to those of the whole: arithmetic that can be checked by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.benchmark.forecast.forecast import Shape, Work, forecast
from nni_emodarts.benchmark.forecast.measured import Extraction, Measured, Pilot, Steps

STEPS = Steps(each=(1.0, 1.0, 3.0, 3.0), before=2.0, after=0.5, of=10)
PILOT = Pilot(
    start=5.0, load=0.1, parts=(80, 20), search=STEPS, networks=(Steps((1.0, 1.0), 0.0, 0.0, 4),),
    memory=500_000_000, read=(1_000, 100), disk=10_000,
)  # fmt: skip
MEASURED = Measured(Extraction(start=3.0, utterances=100, seconds=50.0, disk=1_000_000, files=101), (PILOT,))
WORK = Work(utterances=1_000, missing=600, parts=(640, 160), cells=12)


def test_a_clock_is_read_as_preparation_steps_and_end() -> None:
    steps = Steps.of_moments([10.0, 14.0, 15.0, 16.5], 17.0, of=8)
    assert steps == Steps(each=(1.0, 1.0, 1.5), before=3.0, after=0.5, of=8)


def test_a_job_that_was_done_whole_takes_what_it_took() -> None:
    steps = Steps.of_moments([0.0, 4.0, 5.0, 7.0], 7.5, of=3)
    assert steps.seconds(1.0) == 7.5


def test_steps_that_were_not_done_are_like_the_later_half() -> None:
    # 2 before; 1 + 1 + 3 + 3 done, six more of 3; 0.5 behind; the part is a quarter of the whole
    assert STEPS.seconds(4.0) == 2 + 4 * (8 + 18 + 0.5)


def test_a_forecast_by_hand() -> None:
    found = forecast(MEASURED, WORK, Shape(machines=2, workers=3))
    search, training = 2 + 8 * (8 + 18 + 0.5), 8 * 4.0
    assert found.extraction == 3 + 0.5 * 600 / 2
    assert (found.search, found.training) == (search, training)
    assert found.start == 5 + 0.1 * 10
    assert found.cells == 6 + 2 * (search + training)  # twelve cells, six at a time
    assert found.seconds == found.extraction + found.cells
    assert found.machine_hours * 3600 == pytest.approx(2 * found.extraction + 12 * (search + training) / 3)
    assert (found.feature_bytes, found.feature_files, found.run_bytes) == (10_000_000, 1_010, 120_000)


def test_a_process_keeps_features_that_are_few_and_no_others() -> None:
    small = forecast(MEASURED, WORK, Shape(1, 1)).memory
    assert small == 500_000_000 - 100_000 + 800_000
    # of a hundred times as many, those to learn from are over the bound as a search reads them, and the rest is not
    large = replace(WORK, longer=110.0)
    assert forecast(MEASURED, large, Shape(1, 1)).memory == 500_000_000 - 100_000 + 17_600_000


def test_what_is_heard_already_costs_nothing() -> None:
    assert forecast(MEASURED, replace(WORK, missing=0), Shape(1, 1)).extraction == 0


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40))
def test_more_machines_are_never_slower_and_never_cheaper_in_all(machines: int, more: int, cells: int) -> None:
    work = replace(WORK, cells=cells)
    few, many = (forecast(MEASURED, work, Shape(number, 2)) for number in (machines, machines + more))
    assert many.seconds <= few.seconds
    assert many.machine_hours >= few.machine_hours


def test_processes_that_slow_each_other_are_averaged() -> None:
    slower = replace(PILOT, search=replace(STEPS, each=(2.0, 2.0, 6.0, 6.0), before=4.0, after=1.0))
    both = forecast(replace(MEASURED, pilots=(PILOT, slower)), WORK, Shape(1, 2))
    assert both.search == 1.5 * forecast(MEASURED, WORK, Shape(1, 1)).search
