"""Trainings one after another in a process: what one has kept in memory, the next need not."""

import gc

import torch

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.space.emodarts import random_architecture
from nni_emodarts.training.retrain.fitting import train


def test_no_features_stay_behind_though_nobody_looks_for_cycles(
    fast_config: ExperimentConfig, small_corpus: Corpus
) -> None:
    shape = small_corpus.num_outputs, small_corpus.input_shape
    design = random_architecture(fast_config.space, *shape, [0])
    gc.collect()
    gc.disable()
    try:
        before = _features(small_corpus.feature_rows)
        train(FoldTask.of(fast_config, small_corpus, 0, 1), design)
        assert _features(small_corpus.feature_rows) == before
    finally:
        gc.enable()


def _features(rows: int) -> int:
    """Tensors (R, T) that are alive."""
    alive = (each for each in gc.get_objects() if type(each) is torch.Tensor)
    return sum(each.dim() == 2 and each.shape[0] == rows for each in alive)
