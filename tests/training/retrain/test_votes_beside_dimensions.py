"""Votes as targets of a network that also learns dimensions: utterances without a majority count in these alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import recall_score
from torch.nn import functional as F

from nni_emodarts.benchmark.computing import compute_cell
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.cli.console import show_pooled
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.data.inner_folds import inner_fold
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.space import random_architecture
from nni_emodarts.nni_bridge.pooling import pool_trials
from nni_emodarts.report.page import report
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain
from nni_emodarts.training.task import make_fold_task
from tests.conftest import FAST
from tests.voted import CLASSES, UNDECIDED, write_voted

NAMES = ("arousal", "valence", "dominance")


@pytest.fixture(scope="module")
def config(small_manifest: Path) -> ExperimentConfig:
    manifest = write_voted(small_manifest, "voted_and_rated.csv")
    options = {
        "data.manifest": str(manifest), "data.protocol": "kfold:3", "data.task": "both", "retrain.targets": "votes"
    }  # fmt: skip
    return load_config("tiny", settings=FAST, options=options)


@pytest.fixture(scope="module")
def corpus(config: ExperimentConfig) -> Corpus:
    return load_corpus(config)


@pytest.fixture(scope="module")
def run(config: ExperimentConfig, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunFolder.claim(tmp_path_factory.mktemp("both") / "out")
    design = random_architecture(config.space, corpus.num_outputs, corpus.shapes, 0)
    retrain(fold_tasks(config, corpus, [0, 1], [1]), design, folder, final=True)
    return folder.path


def answers(run: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """To utterances with a majority, and to the others."""
    return tuple(pd.read_csv(run / f"{name}.csv", keep_default_na=False) for name in ("predictions", "undecided"))  # type: ignore[return-value]


def test_who_chooses(config: ExperimentConfig, corpus: Corpus) -> None:
    """Utterances without a majority validate in dimensions, also in inner splits, and are neither right nor wrong."""
    task = FoldTask.of(config, corpus, 0, 1)
    for fold in (task.fold, inner_fold(corpus.manifest, task.fold, 2, 0)):
        assert (corpus.manifest.labels[fold.validation] < 0).any()
    rows = task.fold.validation
    truth, labels = task.truth(rows), corpus.manifest.labels[rows]
    generator = np.random.default_rng(0)
    told = np.concatenate([generator.dirichlet(np.ones(4), len(rows)), generator.uniform(1, 7, (len(rows), 3))], 1)
    known = labels >= 0
    recall = recall_score(labels[known], told[known, :4].argmax(1), average="macro")
    mean_ccc = np.mean([ccc(corpus.manifest.values[rows, d], told[:, 4 + d]) for d in range(3)])
    assert truth.score(told) == pytest.approx((recall + mean_ccc) / 2)
    assert truth._score_of(told) == pytest.approx(truth.score(told))
    shares = corpus.manifest.shares[rows]
    assert truth.loss(told) == pytest.approx(-(shares * np.log(told[:, :4])).sum(1).mean() + 1 - mean_ccc)


def test_the_loss_is_that_of_votes_and_that_of_dimensions(config: ExperimentConfig, corpus: Corpus) -> None:
    task = FoldTask.of(config, corpus, 0, 1)
    training = make_fold_task(config.retrain.optimizer, task, 2, 5, weighted=False)
    rows = torch.from_numpy(np.flatnonzero(corpus.manifest.labels < 0))  # all of them
    outputs = torch.randn(len(rows), 7, generator=torch.Generator().manual_seed(0))
    shares = torch.from_numpy(corpus.manifest.shares[rows]).float()
    votes = -(shares * F.log_softmax(outputs[:, :4], 1)).sum(1).mean()
    places = outputs[:, 4:].double().numpy() * 3 + 4  # on the scale from 1 to 7
    rated = 1 - np.mean([ccc(corpus.manifest.values[rows, d], places[:, d]) for d in range(3)])
    found = training.against(outputs, torch.full((len(rows),), -1), rows)
    assert float(found) == pytest.approx(float(votes) + rated, abs=1e-5)


def test_figures_of_classes_of_votes_and_of_dimensions(run: Path, corpus: Corpus) -> None:
    """Each of the utterances that have what it is of; the pooled ones, too."""
    manifest = corpus.manifest
    folds = [corpus.fold(number) for number in (0, 1)]
    cells = [(run / f"fold_0{number}" / "seed_1", [fold]) for number, fold in enumerate(folds)]
    for folder, parts in [*cells, (run, folds)]:
        decided, undecided = answers(folder)
        metrics = json.loads((folder / "metrics.json").read_text())
        assert len(decided) == sum(len(each.test) for each in parts)
        assert len(undecided) == sum(len(each.undecided) for each in parts) > 0
        classes = pd.Index(CLASSES)
        assert metrics["test_uar"] == pytest.approx(
            uar(*(classes.get_indexer(pd.Index(decided[name])) for name in ("emotion", "predicted")), 4)
        )
        everyone = pd.concat([decided, undecided])
        for name in NAMES:
            expected = ccc(everyone[name].astype(float), everyone[f"predicted_{name}"])
            assert metrics[f"test_ccc_{name}"] == pytest.approx(expected, abs=1e-5)
        assert metrics["test_uar_ccc"] == pytest.approx((metrics["test_uar"] + metrics["test_ccc"]) / 2)
        q, p = (everyone[[f"{kind}{name}" for name in CLASSES]].to_numpy() for kind in ("share_", "p_"))
        assert metrics["test_kl"] == pytest.approx(entropy(q, p, axis=1).mean(), abs=1e-5)
        assert metrics["test_voted_utterances"] == len(everyone)
    rows = np.concatenate([np.concatenate([each.test, each.undecided]) for each in folds])
    assert set(everyone["file"]) == set(np.array(manifest.names)[rows])
    trials = pool_trials([folder for folder, _ in cells])
    assert {key: trials[key] for key in ("test_ccc", "test_uar_ccc", "test_kl")} == {
        key: metrics[key] for key in ("test_ccc", "test_uar_ccc", "test_kl")
    }


def test_what_people_see_of_it(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pooled = json.loads((run / "metrics.json").read_text())
    show_pooled(pooled)
    printed = capsys.readouterr().out
    assert f"KL {pooled['test_kl']:.3f}  JS {pooled['test_js']:.3f}" in printed
    assert f"{pooled['test_ccc']:.3f}" in printed
    card, (decided, undecided) = model_card(open_network(run)), answers(run)
    assert f"KL divergence {pooled['test_kl']:.3f} nats" in card
    valence = next(line for line in card.splitlines() if line.startswith("| valence |"))
    assert valence.split("|")[2].strip() == f"{pooled['test_ccc_valence']:.3f}"
    page = report([str(run)], tmp_path / "report.html").read_text()
    assert f"{pooled['test_js']:.3f}" in page
    section = page[page.index("<h3>Dimensions</h3>") :]
    assert f"{pooled['test_ccc_valence']:.3f}" in section
    assert f"Valence and arousal of {len(decided) + len(undecided)} test predictions" in section


def test_answers_are_those_of_any_network_for_both(run: Path, corpus: Corpus) -> None:
    undecided = answers(run / "fold_00" / "seed_1")[1].iloc[0]
    answer = EmotionRecognizer.from_run(run, fold=0).predict(corpus.manifest.folder / undecided["file"])
    assert answer.emotion == undecided["predicted"]
    assert answer.dimensions["valence"] == pytest.approx(undecided["predicted_valence"], abs=2e-3)


def test_a_supernet_learns_from_both(config: ExperimentConfig, corpus: Corpus, tmp_path: Path) -> None:
    folder = RunFolder.claim(tmp_path / "out")
    found = search(FoldTask.of(config, corpus, 2, 1), folder)
    assert found.num_classes == 7
    metrics = folder.read_json("metrics.json")
    assert 0 < metrics["chance_p"] <= 1
    assert {"val_uar_ccc", "discrete_val_uar_ccc"} <= set(metrics)


def test_a_cell_of_a_benchmark_counts_them_in_dimensions(
    config: ExperimentConfig, corpus: Corpus, tmp_path: Path
) -> None:
    task = FoldTask.of(config, corpus, 0, 1)
    cell = compute_cell(task, Method("random_sampling"), RunFolder.claim(tmp_path / "out"))
    counted = sum(int(np.array(sums)[0, 0]) for sums in (cell.moments or {}).values())
    assert counted == len(task.fold.test) + len(task.fold.undecided)
    assert sum(np.sum(each) for each in cell.speakers.values()) == len(task.fold.test)
    pooled = np.sum(list(cell.tallies.values()), axis=0)
    assert cell.counting.score(pooled) == pytest.approx(cell.test_uar_ccc, abs=1e-4)
    assert len(UNDECIDED) > len(task.fold.undecided)
