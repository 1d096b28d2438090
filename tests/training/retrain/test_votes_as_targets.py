"""Votes as targets: what is learnt from, what is scored, and how, from a manifest to a run's pooled figures."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.metrics import recall_score
from torch.nn import functional as F

from nni_emodarts.cli.console import show_pooled
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus, load_manifest
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.data.inner_folds import inner_fold
from nni_emodarts.data.protocols import make_fold, make_folds
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.errors import ConfigError, ManifestError, ProtocolError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.page import report
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.ensemble import fold as ensembles
from nni_emodarts.search.run import search
from nni_emodarts.training.distillation import Teacher
from nni_emodarts.training.retrain import retrain, retrain_fold, train
from nni_emodarts.training.task import class_weights, make_fold_task
from tests.voted import CLASSES, UNDECIDED, write, write_voted


@pytest.fixture(scope="module")
def voted_manifest(small_manifest: Path) -> Path:
    return write_voted(small_manifest, "voted.csv")


def config_of(config: ExperimentConfig, manifest: Path, targets: str = "votes", **recipe: object) -> ExperimentConfig:
    data = config.model_dump(mode="json")
    data["data"]["manifest"] = str(manifest)
    data["retrain"] |= {"targets": targets, **recipe}
    return ExperimentConfig.model_validate(data)


@pytest.fixture(scope="module")
def voted(fast_config: ExperimentConfig, voted_manifest: Path) -> ExperimentConfig:
    return config_of(fast_config, voted_manifest)


@pytest.fixture(scope="module")
def corpus(voted: ExperimentConfig) -> Corpus:
    return load_corpus(voted)


def drawn(config: ExperimentConfig, corpus: Corpus) -> Architecture:
    return random_architecture(config.space, corpus.num_classes, corpus.input_shape, 0)


@pytest.fixture(scope="module")
def finished(voted: ExperimentConfig, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunFolder.claim(tmp_path_factory.mktemp("votes") / "out")
    retrain(fold_tasks(voted, corpus, [0, 1], [1]), drawn(voted, corpus), folder, final=True)
    return folder.path


def test_undecided_utterances_train_and_are_not_scored(corpus: Corpus, voted: ExperimentConfig) -> None:
    manifest = corpus.manifest
    speakers = manifest.table["speaker"].to_numpy()
    assert (manifest.labels < 0).sum() == len(UNDECIDED)
    seen = []
    for fold in make_folds(manifest, "loso"):
        for rows in (fold.validation, fold.test):
            assert (manifest.labels[rows] >= 0).all()
        assert (manifest.labels[fold.train] < 0).sum() == 3  # one of each training speaker
        assert set(speakers[fold.undecided]) == set(speakers[fold.test])
        assert (manifest.labels[fold.undecided] < 0).all()
        seen += fold.undecided.tolist()
        inner = inner_fold(manifest, fold, 2, 0)
        assert (manifest.labels[inner.validation] >= 0).all()
        assert (manifest.labels[inner.train] < 0).any()
        assert not inner.undecided.size
    assert sorted(seen) == sorted(np.flatnonzero(manifest.labels < 0))
    parts = FoldTask.of(voted, corpus, 0, 1).halves()
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), make_fold(manifest, "loso", 0).train)


def test_the_loss_is_that_of_the_votes_and_classes_weigh_as_they_have_votes(
    corpus: Corpus, voted: ExperimentConfig
) -> None:
    task = FoldTask.of(voted, corpus, 0, 1)
    training = make_fold_task(voted.retrain.optimizer, task, 2, 5)
    rows = torch.from_numpy(task.fold.train)
    shares = torch.from_numpy(corpus.manifest.shares[task.fold.train]).float()
    logits = torch.randn(len(rows), 4, generator=torch.Generator().manual_seed(0))
    sums = shares.sum(0)
    weights = len(rows) / (4 * sums.clamp(min=1))
    torch.testing.assert_close(training.loss.weight, weights)
    each = -(shares * F.log_softmax(logits, 1)).sum(1)
    own = shares @ weights
    expected = (own * each).sum() / own.sum()
    labels = torch.from_numpy(task.labels(task.fold.train))
    torch.testing.assert_close(training.against(logits, labels, rows), expected)
    hard = np.array([0, 1, 1, 3])
    torch.testing.assert_close(class_weights(np.eye(4)[hard], 4), class_weights(hard, 4))


def test_votes_of_one_mind_train_the_network_that_labels_train(
    fast_config: ExperimentConfig, small_manifest: Path, small_corpus: Corpus, tmp_path: Path
) -> None:
    manifest = write(small_manifest, "agreed.csv", {})
    tables = {}
    for targets in ("majority", "votes"):
        config = config_of(fast_config, manifest, targets, mixup=0.3, focal=1.0)
        held = load_corpus(config)
        folder = RunFolder.claim(tmp_path / targets)
        retrain_fold(FoldTask.of(config, held, 0, 1), drawn(config, held), folder)
        tables[targets] = pd.read_csv(folder.path / "predictions.csv")
    columns = [f"p_{name}" for name in CLASSES]
    np.testing.assert_allclose(
        tables["majority"][columns], tables["votes"][columns], atol=3e-3
    )  # AdamW raises rounding
    assert not any(name.startswith("share_") for name in tables["majority"].columns)


def test_majorities_are_learnt_as_without_votes(
    fast_config: ExperimentConfig, small_manifest: Path, small_corpus: Corpus, tmp_path: Path
) -> None:
    """To the last byte: votes that are not the targets change no digest and no figure."""
    manifest = write(small_manifest, "unused.csv", {0: {"anger": 1, "sadness": 9}})
    config = config_of(fast_config, manifest, "majority")
    held = load_corpus(config)
    assert held.manifest.digest == small_corpus.manifest.digest
    assert config.retrain.meaning() == fast_config.retrain.meaning()
    files = []
    for name, each, of in (("with", config, held), ("without", fast_config, small_corpus)):
        folder = RunFolder.claim(tmp_path / name)
        retrain_fold(FoldTask.of(each, of, 0, 1), drawn(each, of), folder)
        files.append([(folder.path / file).read_bytes() for file in ("predictions.csv", "weights.safetensors")])
    assert files[0] == files[1]
    assert load_manifest(config_of(fast_config, manifest)).digest != held.manifest.digest


def test_figures_of_votes_are_of_all_test_utterances(finished: Path, corpus: Corpus) -> None:
    manifest, pooled = corpus.manifest, json.loads((finished / "metrics.json").read_text())
    answers, true = [], []
    for fold in (0, 1):
        cell = finished / f"fold_0{fold}" / "seed_1"
        metrics, part = json.loads((cell / "metrics.json").read_text()), corpus.fold(fold)
        decided = pd.read_csv(cell / "predictions.csv", keep_default_na=False)
        undecided = pd.read_csv(cell / "undecided.csv", keep_default_na=False)
        assert len(decided) == len(part.test)
        assert undecided["emotion"].tolist() == [""] * len(part.undecided)
        recall = recall_score(decided["emotion"], decided["predicted"], average="macro", zero_division=0)
        assert metrics["test_uar"] == pytest.approx(recall)
        p = np.concatenate([each[[f"p_{name}" for name in CLASSES]] for each in (decided, undecided)])
        q = np.concatenate([manifest.shares[part.test], manifest.shares[part.undecided]])
        assert metrics["test_kl"] == pytest.approx(entropy(q, p, axis=1).mean(), abs=1e-6)
        assert metrics["test_js"] == pytest.approx((jensenshannon(q, p, axis=1, base=2) ** 2).mean(), abs=1e-6)
        assert metrics["test_voted_utterances"] == len(q)
        answers.append(p)
        true.append(q)
    q, p = np.concatenate(true), np.concatenate(answers)
    assert pooled["test_js"] == pytest.approx((jensenshannon(q, p, axis=1, base=2) ** 2).mean(), abs=1e-6)
    assert pooled["test_voted_utterances"] == len(q)


def test_what_people_see_of_it(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pooled = json.loads((finished / "metrics.json").read_text())
    show_pooled(pooled)
    assert f"Votes          KL {pooled['test_kl']:.3f}  JS {pooled['test_js']:.3f}" in capsys.readouterr().out
    assert f"KL divergence {pooled['test_kl']:.3f} nats" in model_card(open_network(finished))
    report([str(finished)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "JS of votes" in page
    assert f"{pooled['test_js']:.3f}" in page


@pytest.mark.parametrize("strategy", ["darts", "enas", "random_one_shot"])
def test_searches_learn_from_votes(strategy: str, voted: ExperimentConfig, corpus: Corpus, tmp_path: Path) -> None:
    data = voted.model_dump(mode="json")
    data["search"] |= {"strategy": strategy, "options": {}, "epochs": 1}
    config = ExperimentConfig.model_validate(data)
    found = search(FoldTask.of(config, corpus, 2, 1), RunFolder.claim(tmp_path / "out"))
    assert found.num_classes == 4
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    assert history["val_uar"].between(0, 1).all()


def test_a_teacher_need_not_know_undecided_utterances(voted: ExperimentConfig, corpus: Corpus) -> None:
    task = FoldTask.of(voted, corpus, 0, 1)
    known = corpus.manifest.decided(np.sort(np.concatenate([task.fold.train, task.fold.validation])))
    teacher = Teacher(known, np.full((len(known), 4), 0.25))
    assert train(task, drawn(voted, corpus), teacher=teacher).best_epoch in (1, 2)


def test_members_of_an_ensemble_answer_undecided_utterances_together(
    voted: ExperimentConfig, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = FoldTask.of(voted, corpus, 0, 1)
    made = [random_architecture(voted.space, 4, corpus.input_shape, seed) for seed in (0, 1)]
    picked = ensembles.Picked(tuple(made), (0.75, 0.25), {"val_uar": 0.5}, Teacher(task.fold.train, np.empty((0, 4))))
    monkeypatch.setattr(ensembles, "pick", lambda pool, task: picked)
    folder = RunFolder.claim(tmp_path / "out")
    metrics = ensembles.ensemble_fold(task, SimpleNamespace(cpu_seconds=1.0), folder)  # type: ignore[arg-type]
    columns = [f"p_{name}" for name in CLASSES]
    own = [pd.read_csv(folder.path / "members" / each.id / "undecided.csv")[columns] for each in made]
    joint = pd.read_csv(folder.path / "undecided.csv")
    np.testing.assert_allclose(joint[columns], 0.75 * own[0] + 0.25 * own[1], atol=1e-6)
    assert metrics["test_voted_utterances"] == len(task.fold.test) + len(task.fold.undecided) == len(joint) + 7
    assert {"undecided.csv", "predictions.csv"} <= set(folder.read_json("metrics.json")["digests"])


def test_what_cannot_be_learnt_is_refused(
    fast_config: ExperimentConfig, small_manifest: Path, voted: ExperimentConfig
) -> None:
    with pytest.raises(ManifestError, match=r"retrain.targets: votes, but manifest .* holds none for .*; add a col"):
        load_manifest(config_of(fast_config, small_manifest))
    table = pd.read_csv(small_manifest, dtype=str)
    first = table.index[table["speaker"] == table["speaker"].iloc[0]]
    votes = {row: {"anger": 1.0, "sadness": 1.0} for row in first}
    alone = write(small_manifest, "alone.csv", votes, tuple(first))
    manifest = load_manifest(config_of(fast_config, alone))
    with pytest.raises(ProtocolError, match="agree on no utterance of the test part"):
        make_fold(manifest, "loso", 0)
    with pytest.raises(ConfigError, match=r"retrain\.targets"):
        load_config("tiny", settings=["retrain.targets=mean"])
