"""The shortcut of a network, solved for before its cells learn."""

from contextlib import ExitStack

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from nni_emodarts.data.batches import AnyItem
from nni_emodarts.data.draws import some
from nni_emodarts.data.enrolment import ALL
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.models.baselines.least_squares import Targets, fit_calibrated
from nni_emodarts.models.baselines.probe import DRAWS
from nni_emodarts.models.baselines.probe_fitting import Heard
from nni_emodarts.models.nn.shortcut import Shortcut

MOST = 10_000
"""Recordings that are learnt from, each as often as it is heard: of a larger corpus so many are drawn, since all lie in
memory at once."""


def fit_shortcut(model: nn.Module, task: FoldTask) -> None:
    """Set the weights of a network's shortcuts from a fold's training part; a network without any stays as it is.

    Several streams are heard as one: their features stand side by side, and their outputs add up.

    Args:
        model: the network, on whatever device.
        task: the fold; nothing but its training part is read.
    """
    shortcuts = [module for module in model.modules() if isinstance(module, Shortcut)]
    if not shortcuts:
        return
    rows = some(task.fold.train, MOST // (DRAWS if task.config.speaker_adapted else 1), task.seed)
    fitted = fit_calibrated(_listen(model, shortcuts, task, rows), _targets(task, rows), task.voices.numbers[rows])
    widths = np.cumsum([each.linear.in_features for each in shortcuts])[:-1]
    bias = fitted.bias
    for shortcut, weight in zip(shortcuts, np.split(fitted.weight, widths, 1), strict=True):
        shortcut.set_weights(weight, bias)
        bias = np.zeros_like(bias)


def _targets(task: FoldTask, rows: Rows) -> Targets:
    """What is learnt of rows."""
    manifest, classes = task.corpus.manifest, task.corpus.num_classes
    if task.shares is not None:
        told = task.shares[rows]
    else:
        labels = task.labels(rows)
        told = np.where((labels < 0)[:, None], np.nan, np.arange(classes) == labels[:, None])
    places = task.outputs.to_unit(manifest.values[rows]) if task.outputs.dimensions else np.empty((len(rows), 0))
    return Targets(told, places, task.config.retrain.class_weights)


def _listen(model: nn.Module, shortcuts: list[Shortcut], task: FoldTask, rows: Rows) -> Heard:
    """What the shortcuts pool of rows, several times where random recordings of their speaker normalise them."""
    size, everyone = task.config.retrain.batch_size, [ALL, *range(DRAWS)] if task.config.speaker_adapted else [ALL]
    judged, *draws = (_pooled(model, shortcuts, task.evaluation_batches(rows, size, by)) for by in everyone)
    return Heard(np.stack(draws), judged) if draws else Heard.once(judged)


@torch.no_grad()
def _pooled(model: nn.Module, shortcuts: list[Shortcut], loader: DataLoader[AnyItem]) -> np.ndarray:
    """(n, F) of the loader's rows in ascending order."""
    device, training, seen = next(model.parameters()).device, model.training, []
    model.eval()
    with ExitStack() as stack:
        heard = [stack.enter_context(shortcut.listening()) for shortcut in shortcuts]
        for batch in loader:
            model(*batch.heard(device))
            seen.append(batch.rows)
    model.train(training)
    features = np.concatenate([np.concatenate(each) for each in heard], 1)
    return np.asarray(features[np.argsort(np.concatenate(seen))])
