"""Every strategy chooses the level of a pretrained stream and the pooling; what it finds is retrained and drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nni_emodarts import Architecture
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.costs import architecture_cost
from nni_emodarts.report.drawings.alphas import Alphas
from nni_emodarts.report.drawings.drawing import drawings, find_subject
from nni_emodarts.report.drawings.film import animate
from nni_emodarts.report.drawings.network import describe_network
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.one_shot.darts import DartsSearch
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain_fold
from nni_emodarts.training.task import EmotionTask
from tests.search.voice_levels import CHOICES, FEATURES, LEVELS, OPTIONS, by_levels, configured


@pytest.fixture(scope="module")
def corpus(small_corpus: Corpus, known_encoder: None) -> Corpus:
    return by_levels(small_corpus)


def needs_extra(strategy: str) -> Any:
    missing = not STRATEGIES[strategy].installed
    return pytest.param(strategy, marks=pytest.mark.skipif(missing, reason="needs its extra"))


@pytest.mark.parametrize("strategy", [needs_extra(strategy) for strategy in OPTIONS])
def test_every_strategy_chooses_level_and_pooling(
    strategy: str, small_manifest: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)
    task = FoldTask.of(configured(small_manifest, strategy), corpus, 1, 3)
    found = search(task, RunFolder.claim(tmp_path / "search"))
    assert found.choices["level_voice"] in CHOICES
    assert found.pooling in ("mean", "attention", "statistics", "maximum")
    assert Architecture.load(tmp_path / "search" / "architecture.json").id == found.id
    if (tmp_path / "search" / "alphas.csv").exists():
        table = pd.read_csv(tmp_path / "search" / "alphas.csv")
        rows = table[(table["label"] == "level_voice") & (table["epoch"] == 1)]
        assert rows["choice"].astype(str).tolist() == list(CHOICES)
        assert rows["probability"].sum() == pytest.approx(1)
        assert set(table[table["label"] == "pooling"]["choice"]) == {"mean", "attention", "statistics", "maximum"}
    if (tmp_path / "search" / "candidates.csv").exists():
        assert {"level_voice", "pooling"} <= set(pd.read_csv(tmp_path / "search" / "candidates.csv").columns)


@pytest.fixture(scope="module")
def run(small_manifest: Path, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search and a retraining of what it found."""
    folder = tmp_path_factory.mktemp("run")
    task = FoldTask.of(configured(small_manifest, "darts"), corpus, 1, 3)
    found = search(task, RunFolder.claim(folder / "search"))
    retrain_fold(task, found, RunFolder.claim(folder / "fold"))
    return folder


def test_a_retraining_reads_its_levels_alone(run: Path, small_manifest: Path, corpus: Corpus) -> None:
    found = Architecture.load(run / "fold" / "architecture.json")
    task = FoldTask.of(configured(small_manifest, "darts"), corpus, 1, 3)
    heard = task.hearing(found.levels)
    rows = task.fold.validation
    whole, alone = (next(iter(each.evaluation_batches(rows, 8))) for each in (task, heard))
    assert whole.maps.shape[1:3] == (len(LEVELS), FEATURES)
    places = [LEVELS.index(level) for level in found.levels["voice"]]
    assert alone.maps.shape[1:3] == (len(places), FEATURES)
    assert torch.equal(whole.maps[:, places], alone.maps)
    assert len(heard.normalizer.mean) == len(LEVELS) * FEATURES
    metrics = RunFolder(run / "fold").read_json("metrics.json")
    assert metrics["parameters"] == architecture_cost(found, "parameters", 9)
    assert 0 <= metrics["test_uar"] <= 1


def test_it_is_drawn(run: Path) -> None:
    subject = find_subject(run / "search")
    names = [name for name, _ in drawings(subject)]
    assert {"normal", "reduce", "seqnn", "network", "alphas_normal", "alphas_layers", "search"} <= set(names)
    levels = subject.architecture.levels["voice"]
    told = describe_network(subject.network, *subject.length)
    heard = f"Level {levels[0]}" if len(levels) == 1 else f"Levels {levels[0]} to {levels[1]}"
    assert f"{heard} of voice leaves maps" in told
    assert f"{subject.architecture.pooling.capitalize()} pooling leaves vector" in told
    assert subject.alphas is not None
    assert subject.history is not None
    assert animate(subject.alphas, subject.history, subject.architecture)[:3] == b"GIF"
    assert [track.label for track in subject.alphas.layers] == ["level_voice", "pooling"]


class Cut(BaseException):
    """What stops a search in the middle of a step."""


@pytest.mark.parametrize("strategy", ["darts", "proxyless"])
def test_a_search_that_is_cut_off_ends_as_one_that_is_not(
    strategy: str, small_manifest: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Level weights with a learning rate of their own, whose optimiser has two groups, among them."""
    task = FoldTask.of(configured(small_manifest, strategy, "search.epochs=3"), corpus, 1, 3)
    search(task, RunFolder.claim(tmp_path / "whole"))
    step = EmotionTask.training_step

    def step_or_cut(training: EmotionTask, batch: Any, batch_idx: int) -> Any:
        if training.trainer.current_epoch == 2:
            raise Cut
        return step(training, batch, batch_idx)

    monkeypatch.setattr(EmotionTask, "training_step", step_or_cut)
    with pytest.raises(Cut):
        search(task, RunFolder.claim(tmp_path / "cut"))
    monkeypatch.setattr(EmotionTask, "training_step", step)
    search(task, RunFolder.claim(tmp_path / "cut", resume=True))
    for name in ("architecture.json", "alphas.csv", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_level_weights_move_at_their_own_rate(
    small_manifest: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[list[tuple[int, float]]] = []
    configure = DartsSearch.configure_architecture_optimizers

    def noting(module: DartsSearch) -> Any:
        optimizer = configure(module)
        groups.append([(len(group["params"]), group["lr"]) for group in optimizer.param_groups])
        return optimizer

    monkeypatch.setattr(DartsSearch, "configure_architecture_optimizers", noting)
    for number, more in enumerate(([], ["search.options.level_learning_rate=null"])):
        config = configured(small_manifest, "darts", "search.options.alpha_learning_rate=0.01", *more)
        search(FoldTask.of(config, corpus, 1, 3), RunFolder.claim(tmp_path / str(number)))
    own, common = groups
    assert own == [(common[0][0] - 1, 0.01), (1, 0.1)]
    assert len(common) == 1
    table = Alphas.read(RunFolder(tmp_path / "0"))
    assert table is not None
    spread = np.ptp(table.tracks["level_voice"].values[:, -1])
    assert spread > np.ptp(table.tracks["pooling"].values[:, -1])
