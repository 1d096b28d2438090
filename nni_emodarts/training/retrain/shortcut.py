"""The shortcut of a network, solved for before its cells learn."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from nni_emodarts.data.batches import AnyItem
from nni_emodarts.data.draws import some
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Rows
from nni_emodarts.models.baselines.least_squares import Targets, fit_calibrated
from nni_emodarts.models.baselines.probe import DRAWS
from nni_emodarts.models.nn.shortcut import Shortcut
from nni_emodarts.models.space.paths import HearsStream
from nni_emodarts.training.hearing import hear

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
    paths = [part for part in model.modules() if isinstance(part, HearsStream) and hasattr(part, "shortcut")]
    if not paths:
        return
    shortcuts = [path.shortcut for path in paths]
    rows = some(task.fold.train, MOST // (DRAWS if task.config.speaker_adapted else 1), task.seed)
    size = task.config.retrain.batch_size
    (heard,) = hear(task, lambda by: [_pooled(paths, task.evaluation_batches(rows, size, by))])
    fitted = fit_calibrated(heard, _targets(task, rows), task.voices.numbers[rows])
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


@torch.no_grad()
def _pooled(paths: Sequence[HearsStream], loader: DataLoader[AnyItem]) -> np.ndarray:
    """(n, F) of the loader's rows in ascending order; of a network no more is computed than its shortcuts hear."""
    device, seen, found = next(paths[0].parameters()).device, [], []
    for batch in loader:
        maps, lengths = batch.heard(device)
        several = (maps, lengths.unbind(1)) if isinstance(maps, tuple) else ((maps,), (lengths,))
        each = zip(paths, *several, strict=False)  # functionals come last, and are heard by none
        pooled = [
            cast(Shortcut, path.shortcut).pooled(path.heard_of(own, length), length) for path, own, length in each
        ]
        found.append(torch.cat(pooled, 1).float().cpu())
        seen.append(batch.rows)
    return np.asarray(torch.cat(found)[torch.cat(seen).argsort()].numpy())
