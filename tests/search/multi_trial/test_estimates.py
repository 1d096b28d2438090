"""Searches whose candidates are measured by several trainings each."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nni_emodarts import Architecture
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.inner_folds import inner_fold
from nni_emodarts.errors import ConfigError, ProtocolError
from nni_emodarts.metrics.logits import decode_rows
from nni_emodarts.metrics.reliability import described_estimate
from nni_emodarts.report.page import render
from nni_emodarts.report.runs import read_runs
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.multi_trial import evaluation
from nni_emodarts.search.multi_trial.estimating import read_replicates
from nni_emodarts.search.run import search
from tests.small_networks import SMALL_NETWORKS

FOLD = 2


def configured(config: ExperimentConfig, strategy: str, candidates: int, **how: Any) -> ExperimentConfig:
    """A space of small networks, each trained on two batches."""
    data = config.model_dump()
    data["search"] |= {"strategy": strategy, "options": {"candidates": candidates, "epochs": 1}, "estimate": how}
    data["retrain"]["epoch_steps"] = 1
    data["space"] |= SMALL_NETWORKS
    return ExperimentConfig.model_validate(data)


@pytest.fixture(autouse=True)
def inside_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates are trained in this process, as inside a trial."""
    monkeypatch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)


def searched(config: ExperimentConfig, corpus: Corpus, out: Path) -> RunFolder:
    folder = RunFolder(out)
    search(FoldTask.of(config, corpus, FOLD, 1), folder)
    return folder


def timeless(folder: RunFolder) -> dict[str, Any]:
    """All files of a search's candidates and its figures, but for times."""
    found: dict[str, Any] = {}
    for file in sorted(folder.path.rglob("*")):
        if file.suffix == ".json" and file.name not in ("environment.json", "search.json"):
            found[str(file.relative_to(folder.path))] = _without_times(json.loads(file.read_text()))
        elif file.name == "candidates.csv":
            found[file.name] = pd.read_csv(file).drop(columns="seconds").to_dict()
        elif file.name == "history.csv":
            found[str(file.relative_to(folder.path))] = file.read_text()
    return found


def _without_times(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_times(value) for key, value in data.items() if not key.endswith("seconds")}
    return [_without_times(each) for each in data] if isinstance(data, list) else data


@pytest.fixture(scope="module")
def plain(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    config = configured(fast_config, "random", 4, folds=2, seeds=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)
        return searched(config, small_corpus, tmp_path_factory.mktemp("plain") / "out")


@pytest.fixture(scope="module")
def halved(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    config = configured(fast_config, "evolution", 6, folds=2, seeds=2, figure="loss", halving=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)
        return searched(config, small_corpus, tmp_path_factory.mktemp("halved") / "out")


def test_all_candidates_are_trained_on_the_same_splits_and_seeds(plain: RunFolder, small_corpus: Corpus) -> None:
    table = plain.read_csv("candidates.csv")
    fold = small_corpus.fold(FOLD)
    splits = [sorted(inner_fold(small_corpus.manifest, fold, 2, number).validation) for number in range(2)]
    asked = []
    for name in table["id"]:
        held = read_replicates(plain.child("candidates", name))
        asked.append([(each.inner, each.seed) for each in held])
        assert [decode_rows(each.rows).tolist() for each in held] == splits * 2
        metrics = plain.child("candidates", name).read_json("metrics.json")
        assert metrics["val_uar"] == pytest.approx(np.mean([each.val_uar for each in held]))
        assert metrics["cpu_seconds"] == pytest.approx(sum(each.cpu_seconds for each in held), abs=0.01)
        assert {each.parameters for each in held} == {metrics["parameters"]}
        history = plain.child("candidates", name).read_csv("history.csv")
        assert history["replicate"].tolist() == [0, 1, 2, 3]
    assert all(each == asked[0] for each in asked)
    assert [inner for inner, _ in asked[0]] == [0, 1, 0, 1]
    assert asked[0][0][1] == asked[0][1][1] == 1
    assert asked[0][2][1] == asked[0][3][1] > 1
    assert not set(np.concatenate(splits)) & set(fold.test)


def test_what_a_search_says_of_its_figures(plain: RunFolder) -> None:
    metrics, table = plain.read_json("metrics.json"), plain.read_csv("candidates.csv").set_index("id")
    said = metrics["estimate"]
    assert {key: said[key] for key in ("folds", "seeds", "figure", "halving")} == {
        "folds": 2, "seeds": 2, "figure": "uar", "halving": False
    }  # fmt: skip
    assert 0 <= said["reliability_of_one"] <= said["reliability"] <= 1
    assert table["replicates"].tolist() == [4] * 4
    best = table["val_uar"].astype(float)
    assert said["best"] == best.idxmax()
    tied = [name for name in table.index if best.max() - best[name] <= said["standard_error"] + 1e-9]
    assert sorted(said["tied"]) == sorted(tied) == sorted(table.index[table["tied"].astype(bool)])
    taken = Architecture.load(plain.path / "architecture.json")
    assert taken.id == metrics["architecture"] == table.loc[tied, "parameters"].astype(int).idxmin()
    assert taken.origin["estimate"]["folds"] == 2
    assert metrics["val_uar"] == pytest.approx(best[taken.id])


def test_what_a_person_reads_of_it(plain: RunFolder, halved: RunFolder) -> None:
    lines = described_estimate(halved.read_json("metrics.json"))
    assert lines[0] == (
        "candidates are compared by validation loss at a temperature of its own over 4 trainings (2 x 2), "
        "the better half of them further each time"
    )
    assert re.fullmatch(r"reliability \d\.\d\d \(\d\.\d\d of one training\): candidates deviate by .*", lines[1])
    metrics = plain.read_json("metrics.json")
    ties = [line for line in described_estimate(metrics) if "cannot tell" in line]
    assert len(ties) == (len(metrics["estimate"]["tied"]) > 1)
    assert described_estimate({"val_uar": 0.5}) == []
    page = render(read_runs([str(halved.path)]))
    assert lines[1] in html.unescape(page)


def test_halving_trains_the_better_half_further(halved: RunFolder) -> None:
    """Six, three, two and two."""
    table = halved.read_csv("candidates.csv").set_index("id")
    assert sorted(table["replicates"].astype(int)) == [1, 1, 1, 2, 4, 4]
    metrics = halved.read_json("metrics.json")
    final = table[table["replicates"].astype(int) == 4]
    assert metrics["architecture"] in final.index
    assert set(metrics["estimate"]["tied"]) <= set(final.index)
    assert metrics["estimate"]["best"] == final["val_loss"].astype(float).idxmin()
    own = halved.child("candidates", metrics["architecture"]).read_json("metrics.json")
    assert metrics["val_loss"] == own["val_loss"]
    assert 0.01 < own["temperature"] < 100
    assert own["val_loss"] == pytest.approx(np.mean([-each["figure"] for each in own["replicates"]]))


@pytest.mark.parametrize("which", ["plain", "halved"])
@pytest.mark.parametrize("after", [1, 5, 8])
def test_killed_and_resumed_equals_never_killed(
    which: str, after: int, request: pytest.FixtureRequest, small_corpus: Corpus, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is killed in the middle of a training, behind so many."""

    class Killed(BaseException):
        pass

    whole: RunFolder = request.getfixturevalue(which)
    config = load_config(file=whole.path / "config.yml")
    out, train, made = tmp_path / "out", evaluation.train, 0

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal made
        made += 1
        if made == after + 1:
            raise Killed
        return train(*given, **more)

    monkeypatch.setattr(evaluation, "train", counted)
    with pytest.raises(Killed):
        searched(config, small_corpus, out)
    assert not (out / "metrics.json").exists()
    assert len([each for file in out.glob("candidates/*") for each in _held(file)]) == after
    resumed = searched(config, small_corpus, out)
    wanted = sum(len(_held(file)) for file in whole.path.glob("candidates/*"))
    assert made == wanted + 1, "no replicate is trained twice, but the one that was killed"
    assert timeless(resumed) == timeless(whole)


def _held(folder: Path) -> list[Any]:
    return read_replicates(RunFolder(folder)) if folder.is_dir() else []


def test_a_finished_race_trains_nothing(halved: RunFolder, small_corpus: Corpus, tmp_path: Path) -> None:
    """Killed before it had said what it found."""
    out = tmp_path / "out"
    shutil.copytree(halved.path, out)
    for name in ("metrics.json", "architecture.json", "candidates.csv", "history.csv"):
        (out / name).unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "train", None)
        again = searched(load_config(file=halved.path / "config.yml"), small_corpus, out)
    assert timeless(again) == timeless(halved)


def test_a_candidate_one_of_whose_trainings_fails_has_failed(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, made = evaluation.train, 0

    def failing(*given: Any, **more: Any) -> Any:
        nonlocal made
        made += 1
        if made == 2:
            raise RuntimeError("planted")
        return train(*given, **more)

    monkeypatch.setattr(evaluation, "train", failing)
    folder = searched(configured(fast_config, "random", 3, folds=2), small_corpus, tmp_path / "out")
    table = folder.read_csv("candidates.csv")
    assert table["status"].tolist() == ["failed", "trained", "trained"]
    assert float(table["seconds"].iloc[0]) > 0
    assert folder.read_json("metrics.json")["failed"] == 1


def test_off_nothing_is_new(fast_config: ExperimentConfig) -> None:
    """Neither what a configuration means, by which digests are made, nor what an old file needs to say."""
    assert "estimate" not in fast_config.meaning()["search"]
    assert "estimate" in configured(fast_config, "random", 4).meaning()["search"]


@pytest.mark.parametrize(
    ("strategy", "how", "says"),
    [
        ("darts", {}, "darts trains one supernet and measures no candidate by itself"),
        ("random", {"folds": 1, "halving": True}, "of one training nothing can be halved"),
        ("random", {"figure": "accuracy"}, "figure"),
        ("random", {"folds": 0}, "folds"),
    ],
)
def test_what_is_refused(strategy: str, how: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_config("tiny", options={"search.strategy": strategy, "search.estimate": how})


def test_more_splits_than_speakers(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="9 inner splits of the 5 training speakers"):
        searched(configured(fast_config, "random", 3, folds=9), small_corpus, tmp_path / "out")
    assert not (tmp_path / "out" / "config.yml").exists()
