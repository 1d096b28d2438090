"""Ensembles of a search's candidates: who answers, by whose answers, and what goes on after a kill."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.logits import decode_logits, decode_rows
from nni_emodarts.metrics.members import member_weights, pick_members
from nni_emodarts.metrics.truth import Truth
from nni_emodarts.runtime.layout import finished_runs
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.ensemble import run_ensemble
from nni_emodarts.search.ensemble.candidates import out_of_fold, read_pools
from nni_emodarts.search.multi_trial.estimating import read_replicates
from nni_emodarts.search.run import search
from tests.small_networks import SMALL_NETWORKS

FOLDS = (0, 2)


def configured(config: ExperimentConfig, candidates: int, seeds: int) -> ExperimentConfig:
    """A space of small networks, each trained on two batches."""
    data = config.model_dump()
    options: dict[str, Any] = {"candidates": candidates, "epochs": 1}
    data["search"] |= {"strategy": "random", "options": options, "estimate": {"folds": 2, "seeds": seeds}}
    data["retrain"] |= {"epoch_steps": 1, "epochs": 1, "refit": True, "keep": "last"}  # nothing is validated then
    data["space"] |= SMALL_NETWORKS
    return ExperimentConfig.model_validate(data)


@pytest.fixture(scope="module")
def searches(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Two finished searches, of two folds."""
    root = tmp_path_factory.mktemp("searches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)  # candidates are trained in this process
        for fold, candidates, seeds in zip(FOLDS, (2, 3), (2, 1), strict=True):
            config = configured(fast_config, candidates, seeds)
            search(FoldTask.of(config, small_corpus, fold, 1), RunFolder(root / str(fold)))
    return [root / str(fold) for fold in FOLDS]


@pytest.fixture(scope="module")
def ensemble(searches: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ensemble") / "out"
    run_ensemble(searches, out, distil=True)
    return out


def probabilities(folder: Path, classes: list[str]) -> np.ndarray:
    return pd.read_csv(folder / "predictions.csv")[[f"p_{name}" for name in classes]].to_numpy()


def test_members_are_picked_by_speakers_that_they_had_not_heard(searches: list[Path], small_corpus: Corpus) -> None:
    for pool, fold in zip(read_pools([RunFolder(path) for path in searches]), FOLDS, strict=True):
        part = small_corpus.fold(fold)
        assert pool.fold == fold
        assert pool.rows.tolist() == sorted([*part.train, *part.validation])
        assert not set(pool.rows) & set(part.test)
        assert len(pool.candidates) == (2 if fold == 0 else 3)


def test_an_answer_is_the_mean_of_the_trainings_that_validated_on_it(searches: list[Path]) -> None:
    folder = next(iter(sorted((searches[0] / "candidates").glob("*/replicates.json")))).parent
    replicates = read_replicates(RunFolder(folder))
    assert len(replicates) == 4
    rows, answers = out_of_fold(replicates)
    for place, row in enumerate(rows):
        held = [
            decode_logits(each.logits)[decode_rows(each.rows).tolist().index(row)]
            for each in replicates
            if row in decode_rows(each.rows)
        ]
        assert len(held) == 2
        assert np.allclose(answers[place], softmax(np.mean(held, 0)), atol=1e-5)


def test_an_ensemble_answers_with_the_mean_of_its_members(
    searches: list[Path], ensemble: Path, small_corpus: Corpus
) -> None:
    classes = list(small_corpus.manifest.classes)
    for pool in read_pools([RunFolder(path) for path in searches]):
        cell = ensemble / f"fold_{pool.fold:02d}/seed_1"
        metrics = json.loads((cell / "metrics.json").read_text())
        truth = Truth(small_corpus.manifest.labels[pool.rows], len(classes), np.empty((len(pool.rows), 0)))
        steps = pick_members([each.answers for each in pool.candidates], truth)
        names = {pool.candidates[number].architecture.id: share for number, share in member_weights(steps).items()}
        assert metrics["members"] == names
        mean = sum(share * probabilities(cell / "members" / name, classes) for name, share in names.items())
        assert np.allclose(probabilities(cell, classes), mean, atol=1e-6)
        table = pd.read_csv(cell / "predictions.csv", dtype={"emotion": str})
        assert table["predicted"].tolist() == np.array(classes)[mean.argmax(1)].tolist()
        recalls = [(rows["predicted"] == emotion).mean() for emotion, rows in table.groupby("emotion")]
        assert metrics["test_uar"] == pytest.approx(np.mean(recalls))
        test = {small_corpus.manifest.names[row] for row in small_corpus.fold(pool.fold).test}
        assert set(table["file"]) == test


def test_its_folders_are_runs_as_all_commands_know_them(ensemble: Path) -> None:
    for root in (ensemble, ensemble / "distilled"):
        assert [run.path.relative_to(root).as_posix() for run in finished_runs(root)] == [
            "fold_00/seed_1", "fold_02/seed_1",
        ]  # fmt: skip
        pooled = json.loads((root / "metrics.json").read_text())
        assert pooled["seeds"]["1"]["test_uar"] == pooled["test_uar"]


def test_the_network_that_learns_from_it_is_the_one_that_the_search_took(searches: list[Path], ensemble: Path) -> None:
    for fold, path in zip(FOLDS, searches, strict=True):
        taken = json.loads((path / "architecture.json").read_text())["id"]
        cell = ensemble / f"distilled/fold_{fold:02d}/seed_1"
        assert json.loads((cell / "architecture.json").read_text())["id"] == taken
        assert (cell / "weights.safetensors").exists()


def test_what_was_killed_goes_on_and_ends_alike(searches: list[Path], ensemble: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(ensemble, out)
    members = sorted((out / "fold_02/seed_1/members").iterdir())
    for lost in (out / "metrics.json", out / "fold_02/seed_1/metrics.json", members[0] / "metrics.json",
                 out / "distilled/fold_00/seed_1/metrics.json"):  # fmt: skip
        lost.unlink()
    kept = {file: file.stat().st_mtime_ns for file in out.glob("fold_00/seed_1/members/*/weights.safetensors")}
    run_ensemble(searches, out, distil=True, resume=True)
    for name in ("predictions.csv", "fold_02/seed_1/predictions.csv", "distilled/predictions.csv"):
        assert (out / name).read_bytes() == (ensemble / name).read_bytes()
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items()), "a finished member ran again"


def test_other_searches_do_not_go_on_in_its_folder(searches: list[Path], ensemble: Path) -> None:
    with pytest.raises(RunFolderError, match=r"taken|not empty|holds"):
        run_ensemble(searches, ensemble)
    with pytest.raises(RunFolderError, match="searches"):
        run_ensemble(searches[:1], ensemble, resume=True)


def test_a_search_that_keeps_no_answers_is_refused(searches: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(searches[0], bare)
    for file in bare.glob("candidates/*/replicates.json"):
        file.unlink()
    with pytest.raises(RunFolderError, match=r"keeps no answers .* search\.estimate\.folds=3"):
        run_ensemble([bare], tmp_path / "out")
    with pytest.raises(RunFolderError, match="no finished search"):
        run_ensemble([tmp_path / "nothing"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
