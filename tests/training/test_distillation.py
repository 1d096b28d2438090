"""Learning from a teacher's answers besides the labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.space import random_architecture
from nni_emodarts.training.distillation import SHARE, TEMPERATURE, TaughtLoss, Teacher
from nni_emodarts.training.loss import EmotionLoss
from nni_emodarts.training.retrain.fitting import train
from nni_emodarts.training.retrain.scoring import answers_to

WEIGHT = torch.tensor([0.5, 1.0, 2.0])


def test_it_is_the_divergence_of_softened_answers_up_to_a_constant() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    answers = torch.randn(9, 3, generator=generator, dtype=torch.float64).softmax(1)
    labels, rows = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([8, 1, 2, 3, 0, 7])
    loss = TaughtLoss(EmotionLoss(WEIGHT.double()), answers)(logits, labels, rows)
    soft = (answers[rows].log() / TEMPERATURE).softmax(1)
    each = F.kl_div((logits / TEMPERATURE).log_softmax(1), soft, reduction="none").sum(1)
    weights = WEIGHT.double()[labels]
    reference = SHARE * TEMPERATURE**2 * (weights * each).sum() / weights.sum()
    reference = reference + (1 - SHARE) * F.cross_entropy(logits, labels, WEIGHT.double())
    found, wanted = (torch.autograd.grad(value, logits)[0] for value in (loss, reference))
    assert torch.allclose(found, wanted, atol=1e-12)


def test_gradients_stay_as_large_whatever_the_temperature() -> None:
    """Near the teacher's answers the gradient is that of squared logits, without the temperature (section 2.1)."""
    logits = torch.zeros(1, 3, requires_grad=True)
    near = torch.tensor([[0.02, 0.0, -0.02]]).softmax(1)
    loss = TaughtLoss(EmotionLoss(torch.ones(3)), near)
    both = torch.autograd.grad(loss(logits, torch.tensor([0]), torch.tensor([0])), logits)[0]
    labels = torch.autograd.grad((1 - SHARE) * F.cross_entropy(logits, torch.tensor([0])), logits)[0]
    assert torch.allclose((both - labels) / SHARE, torch.tensor([[-0.02, 0.0, 0.02]]) / 3, atol=1e-4)


def test_a_row_without_an_answer_is_named() -> None:
    answers = torch.tensor(Teacher(np.array([0, 2]), np.full((2, 3), 1 / 3)).spread(4), dtype=torch.float32)
    loss = TaughtLoss(EmotionLoss(torch.ones(3)), answers)
    loss(torch.zeros(1, 3), torch.tensor([0]), torch.tensor([2]))
    with pytest.raises(ValueError, match="row 3 of the manifest has no answer"):
        loss(torch.zeros(2, 3), torch.tensor([0, 1]), torch.tensor([2, 3]))


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_a_network_follows_a_teacher_that_knows_better(
    mixup: float, fast_config: ExperimentConfig, small_corpus: Corpus
) -> None:
    recipe = fast_config.retrain.model_copy(update={"mixup": mixup, "epochs": 2})
    task = FoldTask.of(fast_config.model_copy(update={"retrain": recipe}), small_corpus, 0, 1)
    classes = small_corpus.num_classes
    design = random_architecture(fast_config.space, classes, small_corpus.input_shape, 1)
    rows = np.sort(task.fold.train)
    odd = np.full((len(rows), classes), 0.02 / (classes - 1))
    odd[:, 1] = 0.98  # whatever is said, it answers the second class
    taught, alone = (train(task, design, teacher=teacher) for teacher in (Teacher(rows, odd), None))
    heard = np.sort(task.fold.validation)
    assert answers_to(task, taught, heard)[:, 1].mean() > answers_to(task, alone, heard)[:, 1].mean() + 0.05
    again = train(replace(task), design, teacher=Teacher(rows, odd))
    assert np.array_equal(answers_to(task, taught, heard), answers_to(task, again, heard))
