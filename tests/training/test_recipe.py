"""The parts of the retrain recipe, each against what it is said to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nni_emodarts.config import ExperimentConfig, load_config, validate
from nni_emodarts.data.batches import Batch, Excerpt, Perturbation
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.torch_network import read_network
from nni_emodarts.errors import ArchitectureError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import build_model, random_architecture
from nni_emodarts.report.drawings.drawing import find_subject
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.loss import EmotionLoss
from nni_emodarts.training.retrain import build_network, retrain_fold, train
from nni_emodarts.training.retrain import fold as module
from nni_emodarts.training.task import EmotionTask

BINS = 20


def changed(config: ExperimentConfig, **recipe: object) -> ExperimentConfig:
    data = config.model_dump(mode="json")
    data["retrain"] |= recipe
    return validate(data)


@pytest.fixture
def architecture(fast_config, small_corpus):
    return random_architecture(fast_config.space, small_corpus.num_classes, small_corpus.input_shape, 1)


def test_an_excerpt_is_a_stretch_of_the_utterance() -> None:
    features = torch.arange(100.0).expand(3, -1)
    heard = [Excerpt(0.4)(features) for _ in range(400)]
    for excerpt in heard:
        first, length = int(excerpt[0, 0]), excerpt.shape[1]
        assert torch.equal(excerpt, features[:, first : first + length])
    lengths = [excerpt.shape[1] for excerpt in heard]
    assert 40 <= min(lengths) <= 43
    assert 97 <= max(lengths) <= 100
    assert {int(excerpt[0, 0]) == 0 for excerpt in heard} == {True, False}
    assert any(int(excerpt[0, -1]) == 99 for excerpt in heard)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_an_excerpt_of_all_is_all_of_it_and_none_is_empty(frames: int) -> None:
    features = torch.randn(3, frames)
    assert torch.equal(Excerpt(1.0)(features), features)
    assert {Excerpt(0.01)(features).shape[1] for _ in range(50)} <= set(range(1, frames + 1))


def test_another_tempo_lasts_as_long_as_allowed() -> None:
    lengths = {Perturbation(BINS, tempo=0.2)(torch.randn(BINS + 1, 100)).shape[1] for _ in range(300)}
    assert 83 <= min(lengths) <= 86
    assert 117 <= max(lengths) <= 120


def test_another_level_is_the_same_for_all_bins_and_for_no_contour() -> None:
    features = torch.randn(BINS + 1, 9)
    gains = []
    for _ in range(100):
        louder = Perturbation(BINS, level=0.5)(features)
        gain = louder[:BINS] - features[:BINS]
        torch.testing.assert_close(gain, gain[0, 0].expand_as(gain))
        assert torch.equal(louder[BINS:], features[BINS:])
        gains.append(float(gain[0, 0]))
    assert -0.5 <= min(gains) < -0.4
    assert 0.4 < max(gains) <= 0.5


def test_another_pitch_moves_bins_and_no_contour() -> None:
    features = torch.arange(BINS + 2.0)[:, None].expand(-1, 5)
    for _ in range(50):
        moved = Perturbation(BINS, pitch=0.1)(features)
        shift = moved[5, 0] - 5  # bins of a ramp say how far they moved
        assert abs(shift) <= 0.1 * BINS
        torch.testing.assert_close(moved[3 : BINS - 3], features[3 : BINS - 3] + shift)
        assert torch.equal(moved[BINS:], features[BINS:])


def test_noise_is_as_loud_as_allowed() -> None:
    deviations = [float(Perturbation(BINS, noise=0.5)(torch.zeros(BINS, 500)).std()) for _ in range(100)]
    assert max(deviations) < 0.52
    assert np.mean(deviations) == pytest.approx(0.25, abs=0.05)
    heard = Perturbation(BINS, noise=0.5)(torch.zeros(BINS + 2, 50))
    assert heard[:BINS].all()
    assert not heard[BINS:].any(), "contours have no noise"


def test_without_focus_the_loss_is_cross_entropy() -> None:
    logits, labels, weights = torch.randn(9, 4), torch.randint(4, (9,)), torch.rand(4) + 0.5
    weighted = nn.CrossEntropyLoss(weights)(logits, labels)
    torch.testing.assert_close(EmotionLoss(weights)(logits, labels), weighted)
    smoothed = nn.CrossEntropyLoss(label_smoothing=0.1)(logits, labels)
    torch.testing.assert_close(EmotionLoss(torch.ones(4), 0.1)(logits, labels), smoothed)


def test_an_utterance_counts_as_its_own_class_weighs() -> None:
    logits, labels, weights = torch.randn(9, 4), torch.randint(4, (9,)), torch.tensor([1.0, 2.0, 30.0, 0.5])
    alone = torch.stack([EmotionLoss(torch.ones(4), 0.1)(logits[[n]], labels[[n]]) for n in range(9)])
    share = weights[labels] / weights[labels].sum()
    torch.testing.assert_close(EmotionLoss(weights, 0.1)(logits, labels), (share * alone).sum())


def test_a_rare_class_draws_no_other_class_s_answers() -> None:
    wanted = torch.tensor([0.925, 0.025, 0.025, 0.025])  # the smoothed target of class 0
    logits = wanted.log()[None].requires_grad_()
    EmotionLoss(torch.tensor([1.0, 1.0, 1.0, 40.0]), 0.1)(logits, torch.tensor([0])).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(1, 4))


def test_the_focal_loss_is_that_of_the_paper() -> None:
    logits, labels = torch.randn(9, 4), torch.randint(4, (9,))
    p = F.softmax(logits, 1)[range(9), labels]
    expected = (-((1 - p) ** 2) * p.log()).mean()
    torch.testing.assert_close(EmotionLoss(torch.ones(4), focal=2.0)(logits, labels), expected)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_the_focal_loss_of_a_sure_answer_has_a_gradient(gamma: float) -> None:
    logits = torch.tensor([[40.0, 0.0, 0.0, 0.0]], requires_grad=True)
    EmotionLoss(torch.ones(4), 0.1, focal=gamma)(logits, torch.tensor([0])).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


class Sums(nn.Module):
    """Logits that are linear in the maps, whatever their length."""

    def forward(self, maps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return maps.sum((2, 3))


class Product(nn.Module):
    """A loss that is linear in the labels."""

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (logits * F.one_hot(labels, 3)).sum(1).mean()


@pytest.mark.parametrize(("smoothing", "focal"), [(0.0, 0.0), (0.1, 0.0), (0.1, 2.0)])
def test_one_vote_is_learnt_from_like_a_label(smoothing: float, focal: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(9, 4, generator=generator), torch.randint(4, (9,), generator=generator)
    loss = EmotionLoss(torch.tensor([1.0, 2.0, 0.5, 3.0]), smoothing, focal)
    torch.testing.assert_close(loss(logits, F.one_hot(labels, 4).float()), loss(logits, labels))


def test_votes_are_learnt_from_as_they_are_shared() -> None:
    """Without a focal factor, an utterance with two votes is worth its two labels, each with half of its weight."""
    logits = torch.randn(1, 3, generator=torch.Generator().manual_seed(1))
    weights, shares = torch.tensor([1.0, 4.0, 2.0]), torch.tensor([[0.75, 0.0, 0.25]])
    loss = EmotionLoss(weights)
    parts = torch.stack([EmotionLoss(torch.ones(3))(logits, torch.tensor([label])) for label in range(3)])
    torch.testing.assert_close(loss(logits, shares), (shares[0] * parts).sum())
    both = torch.cat([shares, torch.tensor([[0.0, 1.0, 0.0]])])
    expected = (1.25 * (shares[0] * parts).sum() + 4.0 * parts[1]) / 5.25
    torch.testing.assert_close(loss(logits.expand(2, 3), both), expected)


def test_mixup_mixes_maps_and_labels_alike() -> None:
    task = EmotionTask(torch.ones(3), 1, mixup=0.4)
    task.set_model(Sums())
    task.loss = Product()
    maps, labels = torch.randn(8, 3, 4, 5), torch.randint(3, (8,))
    torch.manual_seed(5)
    found = task._loss(Batch(maps, torch.full((8,), 5), labels, torch.arange(8)))
    torch.manual_seed(5)
    share = float(torch.distributions.Beta(0.4, 0.4).sample())
    share = max(share, 1 - share)
    other = torch.randperm(8)
    mixed = (share * maps + (1 - share) * maps[other]).sum((2, 3))
    target = share * F.one_hot(labels, 3) + (1 - share) * F.one_hot(labels[other], 3)
    torch.testing.assert_close(found, (mixed * target).sum(1).mean())


def test_averaged_weights_are_the_moving_average(fast_config, small_corpus, architecture) -> None:
    fold = small_corpus.fold(0)
    seen = []
    config = changed(fast_config, averaging=0.9, epochs=1)

    def averaged() -> dict[str, torch.Tensor]:
        return train(FoldTask(config, small_corpus, fold, 1), architecture).model.state_dict()

    original = torch.optim.AdamW.step

    def step(self, closure=None):
        result = original(self, closure)
        seen.append([parameter.detach().clone() for group in self.param_groups for parameter in group["params"]])
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", step)
        found = averaged()
    expected = seen[0]
    for number, weights in enumerate(seen[1:], 1):
        decay = min(0.9, (1 + number) / (10 + number))
        expected = [decay * mean + (1 - decay) * weight for mean, weight in zip(expected, weights, strict=True)]
    last = dict(zip([name for name, _ in _parameters(config, small_corpus, architecture)], expected, strict=True))
    for name, value in last.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


def _parameters(config, corpus, architecture):
    return build_network(architecture, corpus.num_classes, corpus.input_shape).named_parameters()


def test_the_last_epoch_is_kept_where_asked(fast_config, small_corpus, architecture) -> None:
    fold = small_corpus.fold(0)
    last = train(FoldTask(changed(fast_config, keep="last", epochs=3), small_corpus, fold, 1), architecture)
    assert last.best_epoch == 3


def test_refitting_trains_on_validation_speakers_too(
    fast_config, small_corpus: Corpus, architecture, tmp_path: Path, monkeypatch
) -> None:
    calls = []
    real = module.train

    def noted(task, design, *, epochs=None, **others):
        calls.append((set(task.fold.train.tolist()), not task.validates, epochs))
        return real(task, design, epochs=epochs, **others)

    monkeypatch.setattr(module, "train", noted)
    fold = small_corpus.fold(0)
    folder = RunFolder.claim(tmp_path / "run")
    metrics = retrain_fold(FoldTask(changed(fast_config, refit=True), small_corpus, fold, 1), architecture, folder)
    assert calls[0] == (set(fold.train.tolist()), False, None)
    assert calls[1] == ({*fold.train.tolist(), *fold.validation.tolist()}, True, metrics["best_epoch"])
    assert not calls[1][0] & set(fold.test.tolist())
    assert metrics["val_uar"] == pytest.approx(folder.read_csv("history.csv")["val_uar"].max())


def test_where_validation_decides_nothing_it_can_be_left_out(
    fast_config, small_corpus: Corpus, architecture, tmp_path: Path
) -> None:
    """One training instead of two, the same predictions; where it does decide, it is not left out."""
    fold = small_corpus.fold(0)

    def run(name: str, validate: bool, **recipe: object) -> tuple[dict[str, object], pd.DataFrame]:
        folder = RunFolder.claim(tmp_path / name)
        config = changed(fast_config, refit=True, epochs=2, **recipe)
        metrics = retrain_fold(FoldTask(config, small_corpus, fold, 1), architecture, folder, validate=validate)
        return metrics, folder.read_csv("predictions.csv")

    full, of_full = run("full", True, keep="last", patience=None)
    short, of_short = run("short", False, keep="last", patience=None)
    assert full["val_uar"] is not None
    assert short["val_uar"] is None
    assert full["best_epoch"] == short["best_epoch"] == 2
    pd.testing.assert_frame_equal(of_full, of_short)
    assert run("choosing", False, keep="best")[0]["val_uar"] is not None


def test_what_is_retrained_from_a_retrained_network_s_folder_is_widened_once(
    fast_config, small_corpus: Corpus, architecture, tmp_path: Path
) -> None:
    """The folder holds the architecture that was searched; whatever builds its network widens it."""
    fold = small_corpus.fold(0)
    config = changed(fast_config, width=1.5, epochs=1)
    first, again = (RunFolder.claim(tmp_path / name) for name in ("first", "again"))
    metrics = retrain_fold(FoldTask(config, small_corpus, fold, 1), architecture, first)
    found = Architecture.load(first.path / "architecture.json")
    assert found.id == metrics["architecture"] == architecture.id
    task = FoldTask(load_config(None, first.path / "config.yml"), small_corpus, fold, 1)
    assert retrain_fold(task, found, again)["parameters"] == metrics["parameters"]
    assert metrics["parameters"] == sum(
        part.numel() for part in build_model(architecture.widened(1.5), small_corpus.num_classes).parameters()
    )
    narrow = sum(part.numel() for part in build_model(architecture, small_corpus.num_classes).parameters())
    assert metrics["parameters"] > 1.5 * narrow
    assert find_subject(first.path).network == architecture.widened(1.5)
    network = read_network(open_network(first.path))
    maps, lengths = torch.randn(1, *architecture.input_shape, 20), torch.tensor([20])
    torch.testing.assert_close(
        network.model(maps, lengths), read_network(open_network(again.path)).model(maps, lengths)
    )


def test_a_network_that_would_vanish_is_refused(architecture) -> None:
    with pytest.raises(ArchitectureError, match=r"retrain\.width"):
        architecture.widened(0.01)
    assert replace(architecture).widened(1) == architecture
