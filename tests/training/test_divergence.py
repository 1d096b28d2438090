"""Whatever is no number ends a training and says when; it is never an answer, and no figure comes of it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.batches import Batch
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureStore
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import DivergenceError
from nni_emodarts.models.baselines import Baseline
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.one_shot.train import Recorder
from nni_emodarts.search.run import search
from nni_emodarts.training.finite import check_probabilities, check_weights
from nni_emodarts.training.retrain import retrain_fold, train
from nni_emodarts.training.retrain.keeping import EpochKeeper
from nni_emodarts.training.task import predict

BROKEN = [float("nan"), float("inf"), float("-inf")]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, Callable[[Any], Tensor], float, int], None]:
    """Puts a value into a weight behind one step of a training, counted from 1 over all epochs."""

    def planting(callback: type, pick: Callable[[Any], Tensor], value: float, step: int) -> None:
        before = callback.on_train_batch_end
        steps = 0

        def spoil(self: Any, trainer: Any, module: Any, *others: Any) -> None:
            nonlocal steps
            before(self, trainer, module, *others)
            steps += 1
            if steps == step:
                pick(module).data.view(-1)[0] = value

        monkeypatch.setattr(callback, "on_train_batch_end", spoil)

    return planting


def steps_of(task: FoldTask) -> int:
    recipe = task.config.retrain
    return -(-len(task.fold.train) // recipe.batch_size)


def recurrent_weight(module: Any) -> Tensor:
    """One that an infinite value saturates: the network's answers stay numbers."""
    return next(weight for name, weight in module.model.named_parameters() if "weight_hh" in name)


@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("validates", [True, False])
@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_what_the_last_step_spoils_is_found(
    value: float,
    validates: bool,
    averaging: float,
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    plant: Callable[..., None],
) -> None:
    recipe = fast_config.retrain.model_copy(update={"averaging": averaging or None, "epochs": 1})
    task = FoldTask.of(fast_config.model_copy(update={"retrain": recipe}), small_corpus, 0, 1)
    task = task if validates else task.without_validation()
    plant(EpochKeeper, recurrent_weight, value, steps_of(task))
    says = rf"weights \S*weight_hh\S* are infinite or no numbers in epoch 1, step {steps_of(task)}; lower the"
    with pytest.raises(DivergenceError, match=says):
        train(task, Baseline("lstm"))


def test_what_a_step_before_the_last_spoils_is_found_in_its_epoch(
    fast_config: ExperimentConfig, small_corpus: Corpus, plant: Callable[..., None]
) -> None:
    task = FoldTask.of(fast_config, small_corpus, 0, 1)
    plant(EpochKeeper, recurrent_weight, float("inf"), steps_of(task) + 1)
    with pytest.raises(DivergenceError, match="in epoch 2, step"):
        train(task, Baseline("lstm"))


@pytest.mark.parametrize("strategy", ["darts", "random_one_shot"])
@pytest.mark.parametrize("value", BROKEN[:2])
def test_a_search_ends_where_its_last_step_spoils_weights_or_alphas(
    strategy: str,
    value: float,
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    tmp_path: Path,
    plant: Callable[..., None],
) -> None:
    data = fast_config.model_dump(mode="json")
    data["search"] |= {"strategy": strategy, "epochs": 1, "epoch_steps": 2, "options": {}}
    config = ExperimentConfig.model_validate(data)
    pick = {
        "darts": lambda module: module.arch_parameters()[0],
        "random_one_shot": lambda module: recurrent_weight(module),
    }[strategy]
    plant(Recorder, pick, value, 2)
    with pytest.raises(DivergenceError, match=r"infinite or no numbers in epoch 1, step 2; .*another folder"):
        search(FoldTask.of(config, small_corpus, 0, 1), RunFolder.claim(tmp_path / "out"))
    assert not (tmp_path / "out" / "metrics.json").exists()
    assert not (tmp_path / "out" / "checkpoint.ckpt").exists(), "nothing goes on from there"


@pytest.mark.parametrize(("part", "says"), [("validation", "in epoch 1, step"), ("test", "with the weights of epoch")])
def test_features_that_are_no_numbers_give_no_figure(
    part: str,
    says: str,
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = FoldTask.of(fast_config, small_corpus, 0, 1)
    row, read = int(getattr(task.fold, part)[0]), FeatureStore.__getitem__

    def spoilt(store: FeatureStore, number: int) -> np.ndarray:
        found = read(store, number)
        return found if number != row else np.full_like(found, np.nan)

    monkeypatch.setattr(FeatureStore, "__getitem__", spoilt)
    folder = RunFolder.claim(tmp_path / "out")
    with pytest.raises(DivergenceError, match=rf"probabilities of 1 of \d+ utterances are no numbers {says}"):
        retrain_fold(task, Baseline("cnn"), folder)
    assert not folder.has("metrics.json")
    assert not folder.has("predictions.csv")


@pytest.mark.parametrize("value", BROKEN)
def test_no_probability_that_is_no_number_becomes_an_answer(value: float) -> None:
    class Odd(nn.Module):
        def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
            logits = torch.zeros(len(maps), 3)
            logits[1] = value  # of an infinite one the softmax is no number
            return logits

    batch = Batch(torch.zeros(4, 1, 2, 5), torch.full((4,), 5), torch.zeros(4), torch.arange(4))
    with pytest.raises(DivergenceError, match=re.escape("the probabilities of 1 of 4 utterances are no numbers")):
        predict(Odd(), [batch], torch.device("cpu"), 4)
    check_probabilities(np.full((3, 2), 0.5))


def test_statistics_are_weights_too() -> None:
    model = nn.BatchNorm1d(3)
    check_weights(model)
    assert model.running_var is not None
    model.running_var[1] = float("inf")
    with pytest.raises(DivergenceError, match="running_var"):
        check_weights(model)
