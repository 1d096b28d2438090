"""The shortcut of a network: what it is fitted on, that training leaves it alone, and that it is worth its place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nni_emodarts import Architecture
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.baselines.least_squares import Targets, fit_calibrated
from nni_emodarts.models.baselines.probe_fitting import Heard
from nni_emodarts.models.nn.shortcut import Shortcut
from nni_emodarts.models.space import build_model, random_architecture
from nni_emodarts.training.heard_levels import hear_levels
from nni_emodarts.training.retrain import shortcut as fitting
from nni_emodarts.training.retrain.fitting import train
from nni_emodarts.training.retrain.scoring import answers_to
from tests.search.voice_levels import by_levels, configured


@pytest.fixture(scope="module")
def corpus(small_corpus: Corpus) -> Corpus:
    return by_levels(small_corpus)


def made(manifest: Path, corpus: Corpus, level: str = "3", *settings: str) -> tuple[FoldTask, Architecture]:
    """A task, and a network with a shortcut that hears a level."""
    config = configured(manifest, "darts", "space.shortcut=true", *settings)
    task = FoldTask.of(config, corpus, 1, 3)
    drawn = random_architecture(config.space, corpus.num_classes, corpus.shapes, 5)
    sample = {**drawn.sample(), "level_voice": level}
    architecture = Architecture.from_choices(config.space, sample, corpus.num_classes, corpus.shapes)
    return task.hearing(architecture.levels, architecture.heard), architecture


def shortcut_of(model: nn.Module) -> Shortcut:
    return next(module for module in model.modules() if isinstance(module, Shortcut))


@pytest.mark.parametrize("level", ["3", "3+5"])
def test_it_is_the_classifier_of_what_the_network_hears(level: str, small_manifest: Path, corpus: Corpus) -> None:
    task, architecture = made(small_manifest, corpus, level)
    model = build_model(architecture).train()
    fitting.fit_shortcut(model, task)
    assert model.training
    rows = np.sort(task.fold.train)
    whole = FoldTask.of(task.config, corpus, 1, 3)
    heard = Heard.joined([hear_levels(whole, rows)[(0, 3, 5).index(int(each))] for each in level.split("+")])
    targets = Targets(np.eye(corpus.num_classes)[task.labels(rows)], np.empty((len(rows), 0)))
    expected = fit_calibrated(heard, targets, task.voices.numbers[rows])
    own = shortcut_of(model).linear
    # Levels side by side: the network has means of all, then deviations of all; of single levels both stand together.
    order = np.arange(expected.weight.shape[1]).reshape(level.count("+") + 1, 2, -1).transpose(1, 0, 2).ravel()
    np.testing.assert_allclose(own.weight.numpy(), expected.weight[:, order], rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(own.bias.numpy(), expected.bias, rtol=1e-2, atol=1e-3)


def test_it_knows_the_training_part_alone(
    small_manifest: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, architecture = made(small_manifest, corpus)
    heard: list[int] = []
    batches = FoldTask.evaluation_batches
    monkeypatch.setattr(
        FoldTask, "evaluation_batches", lambda self, rows, *rest: (heard.extend(rows), batches(self, rows, *rest))[1]
    )
    fitting.fit_shortcut(build_model(architecture), task)
    assert set(heard) == set(task.fold.train)


def test_of_a_large_corpus_some_are_drawn(
    small_manifest: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, architecture = made(small_manifest, corpus)
    monkeypatch.setattr(fitting, "MOST", 20)
    first, again, other = build_model(architecture), build_model(architecture), build_model(architecture)
    fitting.fit_shortcut(first, task)
    fitting.fit_shortcut(again, task)
    fitting.fit_shortcut(other, replace(task, seed=task.seed + 1))
    weights = [shortcut_of(each).linear.weight for each in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("averaging", ["0.0", "0.9"])
def test_training_leaves_it_alone_and_it_tells_what_cells_do_not(
    averaging: str, small_manifest: Path, corpus: Corpus
) -> None:
    task, architecture = made(small_manifest, corpus, "3", f"retrain.averaging={averaging}", "retrain.epochs=1")
    trained = train(task, architecture)
    fitted = build_model(architecture)
    fitting.fit_shortcut(fitted, task)
    own, expected = shortcut_of(trained.model).linear, shortcut_of(fitted).linear
    torch.testing.assert_close(own.weight.cpu(), expected.weight, rtol=1e-5, atol=1e-6)
    rows = np.sort(task.fold.test)
    reached = uar(task.labels(rows), answers_to(task, trained, rows).argmax(1), corpus.num_classes)
    shortcut_of(trained.model).set_weights(np.zeros_like(expected.weight), np.zeros_like(expected.bias))
    without = uar(task.labels(rows), answers_to(task, trained, rows).argmax(1), corpus.num_classes)
    assert reached > max(without + 0.2, 0.8)


def test_a_network_without_one_stays_as_it_is(small_manifest: Path, corpus: Corpus) -> None:
    task, architecture = made(small_manifest, corpus)
    plain = Architecture.from_choices(
        configured(small_manifest, "darts").space, architecture.sample(), corpus.num_classes, corpus.shapes
    )
    model = build_model(plain)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fitting.fit_shortcut(model, task)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
