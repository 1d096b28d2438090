"""`emodarts plan` on a corpus: a part of a fold is done in earnest, and nothing of it stays."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nni_emodarts.benchmark.forecast.pilot import Part, load_part
from nni_emodarts.benchmark.forecast.run import LEARNT, plan
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.data.protocols import make_fold
from nni_emodarts.runtime.memory import anonymous_bytes

Emodarts = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def config(small_manifest: Path) -> ExperimentConfig:
    options = {"data.manifest": str(small_manifest), "data.protocol": "loso", "search.epochs": 9, "retrain.epochs": 7}
    return load_config("tiny", options=options)


@pytest.mark.slow
def test_a_plan_is_made_of_what_was_done(config: ExperimentConfig) -> None:
    planned = plan(config, machines=[1, 2], workers=2, folds=[0, 1, 2], seeds=2)
    assert (planned.work.utterances, planned.work.cells) == (48, 6)
    fold = make_fold(load_manifest(config), "loso", 0)
    assert planned.work.parts == (len(fold.train), len(fold.validation))
    first, second = planned.measured.pilots
    for pilot in (first, second):
        assert pilot.search is not None
        assert (len(pilot.search.each), pilot.search.of) == (
            4,
            9,
        )  # a warm-up of one epoch, and three in which alphas move
        assert [(len(each.each), each.of) for each in pilot.networks] == [(3, 7)]  # of what the search found
        assert pilot.memory > 100_000_000
        assert min(pilot.start, pilot.load, pilot.disk) > 0
    extraction = planned.measured.extraction
    assert extraction.files == extraction.utterances + 1
    one, two = planned.forecasts
    assert two.cells < one.cells
    assert one.seconds > one.search + one.training > 0


@pytest.mark.slow
def test_the_command_writes_what_it_says_and_leaves_nothing(
    emodarts: Emodarts, small_manifest: Path, tmp_path: Path, fast_words: list[str], cache: Path
) -> None:
    before, out = sorted(cache.rglob("*")), tmp_path / "plan.json"
    words = ["--manifest", str(small_manifest), "--preset", "tiny", "--protocol", "loso", *fast_words]
    status, said = emodarts("plan", *words, "--strategy", "random", "--set", "search.options.candidates=4",
                            "--machines", "1,3", "--hours", "10", "--out", str(out))  # fmt: skip
    assert status == 0, said
    assert "10.0 hours of speech" in said
    assert "6 cells of" in said
    found = json.loads(out.read_text())
    assert [each["shape"]["machines"] for each in found["forecasts"]] == [1, 3]
    (pilot,) = found["measured"]["pilots"]
    assert (len(pilot["search"]["each"]), pilot["search"]["of"]) == (3, 4)
    assert len(pilot["networks"]) == 2  # draws, since a search that is cut off finds nothing
    assert found["missing"] == 48  # of a corpus that is not there, nothing is heard yet
    assert sorted(cache.rglob("*")) == before
    assert emodarts("plan", *words, "--out", str(out))[0] == 2  # nothing is overwritten


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--machines", "0"], "machines: 0 is below 1; name numbers such as 1,2,4"),
        (["--machines", "two"], "machines"),
        (["--hours", "0"], "hours: 0.0 is no number above 0; name the hours of speech, such as 324"),
        (["--hours", "inf"], "hours: inf is no number above 0; name the hours of speech, such as 324"),
        (["--set", "nodes=2"], "nodes: 2 machines train one network together in search and retrain alone"),
        (["--folds", "7"], "fold"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    emodarts: Emodarts, small_manifest: Path, words: list[str], said: str
) -> None:
    status, text = emodarts("plan", "--manifest", str(small_manifest), "--preset", "tiny", "--protocol", "loso", *words)
    assert status == 2
    assert said in text


def test_a_part_is_a_fold_of_its_own() -> None:
    part = Part(tuple(range(0, 40, 2)), (1, 3, 5))
    fold = part.fold
    assert part.rows[fold.train].tolist() == list(part.train)
    assert part.rows[fold.validation].tolist() == list(part.validation)
    assert len(part.rows) < LEARNT


def test_recordings_that_are_skipped_are_none_of_the_part(small_manifest: Path, tmp_path: Path) -> None:
    table = pd.read_csv(small_manifest, dtype=str)
    table["file"] = [str(small_manifest.parent / file) for file in table["file"]]
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    table.loc[5, "file"] = str(tmp_path / "broken.wav")
    table.to_csv(tmp_path / "manifest.csv", index=False)
    options = {"data.manifest": str(tmp_path / "manifest.csv"), "data.protocol": "loso", "data.bad_audio": "skip"}
    config = load_config("tiny", options=options)
    part = Part((2, 5, 9), (20, 30))
    manifest, corpus = load_manifest(config), load_part(config, part.rows)
    kept = part.within(manifest, corpus)
    assert kept == Part((2, 9), (20, 30))
    assert [*corpus.manifest.table["file"]] == [*manifest.table["file"].iloc[kept.rows]]


def test_memory_of_its_own_grows_with_what_is_made() -> None:
    before = anonymous_bytes()
    held = np.ones(2**24)
    assert anonymous_bytes() - before > 0.9 * held.nbytes
