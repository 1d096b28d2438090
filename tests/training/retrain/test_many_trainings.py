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
        before = _features(small_corpus)
        train(FoldTask.of(fast_config, small_corpus, 0, 1), design)
        known = {id(each) for each in before}
        assert not [each for each in _features(small_corpus) if id(each) not in known]
    finally:
        gc.enable()


def _features(corpus: Corpus) -> list[torch.Tensor]:
    """Tensors (R, T) that are alive and may be features of an utterance; weights and their averages are none."""
    lengths = {int(length) for length in corpus.store.lengths}
    alive = [each for each in gc.get_objects() if type(each) is torch.Tensor and each.dim() == 2]
    return [each for each in alive if each.shape[0] == corpus.feature_rows and each.shape[1] in lengths]
