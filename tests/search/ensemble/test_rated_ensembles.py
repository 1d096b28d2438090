"""Ensembles of candidates of a search for dimensions, alone or besides emotions: values are averaged, too."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nni_emodarts.benchmark.run import run_benchmark
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.metrics.headline import HEADLINES
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.ensemble import run_ensemble
from nni_emodarts.search.ensemble.candidates import read_pools
from nni_emodarts.search.run import search
from nni_emodarts.training.distillation import SHARE, Teacher
from nni_emodarts.training.retrain import fitting
from nni_emodarts.training.task import EmotionTask, dimension_loss, make_fold_task
from tests.conftest import FAST
from tests.small_networks import SMALL_NETWORKS

NAMES = ("arousal", "valence", "dominance")


def configured(manifest: Path, task: str) -> ExperimentConfig:
    options: dict[str, object] = {
        "data.manifest": str(manifest), "data.protocol": "kfold:3", "data.task": task, "search.strategy": "random",
        "search.options": {"candidates": 3, "concurrency": 1, "epochs": 1}, "search.estimate": {"folds": 2},
        "retrain.epoch_steps": 4,
        **{f"space.{name}": value for name, value in SMALL_NETWORKS.items()},
    }  # fmt: skip
    return load_config("tiny", settings=FAST, options=options)


@pytest.fixture(scope="module", params=["dimensions", "both"])
def ensemble(
    request: pytest.FixtureRequest, small_manifest: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Corpus, Path, Path]:
    """Corpus, search, and ensemble with its distilled network."""
    config, root = configured(small_manifest, request.param), tmp_path_factory.mktemp("rated")
    corpus = load_corpus(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nni_trial, "in_trial", lambda: True)  # candidates are trained in this process
        search(FoldTask.of(config, corpus, 0, 1), RunFolder(root / "search"))
    run_ensemble([root / "search"], root / "out", distil=True)
    return corpus, root / "search", root / "out"


def test_it_answers_with_the_weighted_mean_of_its_members(ensemble: tuple[Corpus, Path, Path]) -> None:
    corpus, searched, out = ensemble
    cell, columns = RunFolder(out / "fold_00/seed_1"), [f"predicted_{name}" for name in NAMES]
    columns += [f"p_{name}" for name in corpus.manifest.classes]
    metrics, table = cell.read_json("metrics.json"), cell.read_csv("predictions.csv")
    members = [(share, cell.path / "members" / name) for name, share in metrics["members"].items()]
    mean = sum(share * RunFolder(path).read_csv("predictions.csv")[columns].to_numpy() for share, path in members)
    np.testing.assert_allclose(table[columns], mean, atol=1e-5)
    found = [ccc(table[name], table[f"predicted_{name}"]) for name in NAMES]
    assert metrics["test_ccc"] == pytest.approx(np.mean(found), abs=1e-5)
    key = HEADLINES["both" if corpus.manifest.classes else "dimensions"].key
    assert metrics["steps"][-1][key] == metrics[f"val_{key}"]
    (pool,) = read_pools([RunFolder(searched)])
    picked = [next(each for each in pool.candidates if each.architecture.id == path.name) for _, path in members]
    told = sum(share * each.answers for (share, _), each in zip(members, picked, strict=True))
    values = corpus.manifest.values[pool.rows]
    rated = np.mean([ccc(values[:, d], told[:, len(corpus.manifest.classes) + d]) for d in range(3)])
    assert metrics["val_ccc"] == pytest.approx(rated, abs=1e-6)
    pooled = RunFolder(out).read_json("metrics.json")
    assert pooled["test_ccc"] == pytest.approx(metrics["test_ccc"], abs=1e-5)
    assert "test_ccc" in RunFolder(out / "distilled").read_json("metrics.json")


def test_folder_and_file_answer_as_the_test_did(ensemble: tuple[Corpus, Path, Path], tmp_path: Path) -> None:
    corpus, _, out = ensemble
    table = RunFolder(out).read_csv("predictions.csv")
    ship(open_network(out / "fold_00/seed_1"), tmp_path / "model.onnx")
    recognisers = EmotionRecognizer.from_run(out), EmotionRecognizer.from_onnx(tmp_path / "model.onnx")
    for _, row in table.head(2).iterrows():
        for recogniser in recognisers:
            answer = recogniser.predict(corpus.manifest.folder / row["file"])
            for name in NAMES:
                assert answer.dimensions[name] == pytest.approx(row[f"predicted_{name}"], abs=5e-3)
            for name, value in answer.probabilities.items():
                assert value == pytest.approx(row[f"p_{name}"], abs=1e-3)


@pytest.mark.parametrize("task", ["dimensions", "both"])
def test_a_teacher_has_its_share_of_each_loss(task: str, small_manifest: Path) -> None:
    """Its answers are targets as the truth is: where it says what is true, nothing changes in dimensions."""
    config = configured(small_manifest, task)
    corpus = load_corpus(config)
    fold = FoldTask.of(config, corpus, 0, 1)
    count, values = corpus.num_classes, corpus.manifest.values
    rows = torch.from_numpy(fold.fold.train[:12])
    labels = torch.from_numpy(fold.labels(fold.fold.train[:12]))
    outputs = torch.randn(12, corpus.num_outputs, generator=torch.Generator().manual_seed(0))
    generator = np.random.default_rng(0)
    told = generator.dirichlet(np.ones(4), len(values))[:, :count]
    said = generator.uniform(1, 7, values.shape)

    def loss(rated: np.ndarray | None) -> float:
        training: EmotionTask = make_fold_task(config.retrain.optimizer, fold, 2, 5)
        if rated is not None:
            teacher = Teacher(np.arange(len(values)), np.concatenate([told, rated], 1))
            probabilities, places = fitting._answers_of(teacher, fold)
            training.learn_from(probabilities, dimension_loss(fold, places))
        return float(training.against(outputs, labels, rows))

    alone = float(dimension_loss(fold, values)(outputs[:, count:], rows))
    against = float(dimension_loss(fold, said)(outputs[:, count:], rows))
    assert loss(said) - loss(values) == pytest.approx(SHARE * (against - alone), abs=1e-5)
    if not count:
        assert loss(values) == pytest.approx(loss(None), abs=1e-6)


def test_methods_of_a_benchmark_share_a_search(
    small_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nni_trial, "in_trial", lambda: True)
    config, methods = configured(small_manifest, "both"), ["search", "ensemble", "distilled"]
    summary, _ = run_benchmark("rated", config, methods, tmp_path / "out", tmp_path / "runs", folds=[0])
    assert [each.name for each in summary.rated] == methods
    assert all(each.figure == "uar_ccc" for each in summary.rated)
    assert summary.rated[1].parameters >= summary.rated[0].parameters
