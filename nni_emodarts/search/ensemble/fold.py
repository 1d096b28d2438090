"""The ensemble of one fold: members are picked, trained by the recipe, and their answers averaged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.dimensions import dimension_names
from nni_emodarts.metrics.enrolment import COUNTED, PREDICTED
from nni_emodarts.metrics.members import averaged, member_weights, pick_members
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.digests import digests_of, read_predictions, read_undecided
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import (
    CONFIG,
    ENSEMBLE,
    ENVIRONMENT,
    MEMBERS,
    METRICS,
    PREDICTIONS,
    UNDECIDED,
    RunFolder,
)
from nni_emodarts.search.ensemble.candidates import Pool
from nni_emodarts.training.distillation import Teacher
from nni_emodarts.training.retrain import retrain_fold, settle_space
from nni_emodarts.training.retrain.fold import rated
from nni_emodarts.training.retrain.scoring import note_answers, score_predictions
from nni_emodarts.training.trainer import environment_of, pick_device


@dataclass(frozen=True)
class Picked:
    """The members of a fold's ensemble.

    Attributes:
        architectures: each once, in the order in which they were picked.
        weights: share of each, one in sum.
        figures: of their answers to the training speakers: `val_uar`, or `val_ccc` and so on, `val_loss` and
            `temperature`, and the steps.
        teacher: these answers.
    """

    architectures: tuple[Architecture, ...]
    weights: tuple[float, ...]
    figures: JsonObject
    teacher: Teacher


def pick(pool: Pool, task: FoldTask) -> Picked:
    """Pick the members by answers to the fold's training speakers, none of whom a member had heard that answers."""
    steps = pick_members([each.answers for each in pool.candidates], task.truth(pool.rows))
    weights = member_weights(steps)
    members = [pool.candidates[number] for number in weights]
    shares = tuple(weights.values())
    answers = averaged([each.answers for each in members], shares)
    last, key = steps[-1], task.headline.key
    figures: JsonObject = {
        **{f"val_{name}": value for name, value in last.figures.items()},
        "val_loss": last.loss,
        "temperature": last.temperature,
        "candidates": len(pool.candidates),
        "steps": [
            {
                "architecture": pool.candidates[step.candidate].architecture.id,
                "loss": step.loss,
                key: step.figures[key],
            }
            for step in steps
        ],
    }
    return Picked(tuple(each.architecture for each in members), shares, figures, Teacher(pool.rows, answers))


def ensemble_fold(task: FoldTask, pool: Pool, folder: RunFolder, progress: Progress = silent) -> JsonObject:
    """Train the members that the folder lacks, and average what they say of the test part.

    Args:
        task: the fold, with one seed for all members.
        pool: its candidates.
        folder: where the files go: `members/ID/` is a network each.
        progress: called after each epoch.

    Returns:
        What the folder's metrics.json holds.

    Raises:
        RunFolderError: another process writes to the folder, or it holds an ensemble of other members.
    """
    with folder.held():
        task.note_corpus(folder)
        picked = pick(pool, task)
        members = {each.id: weight for each, weight in zip(picked.architectures, picked.weights, strict=True)}
        _note_members(folder, members)
        figures = [_train(task, each, folder.child(MEMBERS, each.id), progress) for each in picked.architectures]
        classes = task.corpus.manifest.classes
        runs, weights = [RunFolder(folder.path / MEMBERS / name) for name in members], list(members.values())
        table = join_answers([read_predictions(run) for run in runs], weights, classes)
        rest = [found for run in runs if (found := read_undecided(run)) is not None]
        undecided = join_answers(rest, weights, classes) if rest else None
        folder.write_text(CONFIG, task.config.to_yaml())
        folder.write_json(ENVIRONMENT, environment_of(pick_device(task.config.device)))
        note_answers(folder, table, undecided)
        metrics: JsonObject = {
            "method": "ensemble",
            **picked.figures,
            "members": members,
            "fold": task.fold.index,
            "seed": task.seed,
            "best_epoch": max(each["best_epoch"] for each in figures),
            "parameters": sum(each["parameters"] for each in figures),
            "classes": list(classes),
            **rated(task),
            **task.config.tracks,
            **score_predictions(table, classes, undecided),
            **{key: round(sum(each[key] for each in figures), 3) for key in ("seconds", "cpu_seconds")},
            "search_cpu_seconds": round(pool.cpu_seconds, 3),
        }
        folder.write_json(METRICS, {**metrics, **digests_of(folder, [PREDICTIONS, UNDECIDED, ENSEMBLE])})
        return metrics


def distil_fold(task: FoldTask, pool: Pool, folder: RunFolder, progress: Progress = silent) -> JsonObject:
    """Train one network, of the architecture that the search took, on labels and on what the ensemble said.

    The teacher's answers are those by which its members were picked: no network of it had heard the speaker.

    Returns:
        What the folder's metrics.json holds.
    """
    if folder.has(METRICS):
        return folder.read_json(METRICS)
    return retrain_fold(task, pool.chosen, folder, teacher=pick(pool, task).teacher, progress=progress, validate=False)


def _note_members(folder: RunFolder, members: dict[str, float]) -> None:
    if folder.has(ENSEMBLE) and folder.read_json(ENSEMBLE)["members"] != members:
        raise RunFolderError(f"output folder {folder.path} holds an ensemble of other members; {folder.remedy}")
    folder.write_json(ENSEMBLE, {"members": members})


def _train(task: FoldTask, architecture: Architecture, folder: RunFolder, progress: Progress) -> JsonObject:
    if not folder.has(METRICS):
        own = task.under(settle_space(task.config, architecture, explicit=False))
        retrain_fold(own, architecture, folder, progress=progress, validate=False)
    return folder.read_json(METRICS)


def join_answers(tables: Sequence[pd.DataFrame], weights: Sequence[float], classes: Sequence[str]) -> pd.DataFrame:
    """The table of predictions of an ensemble: probabilities and values are the weighted means of its members'.

    Columns that only hold for one network (answers by other enrolments) are left out.

    Raises:
        RunFolderError: the members answered different utterances.
    """
    first = tables[0]
    if any(not table["file"].equals(first["file"]) for table in tables):
        raise RunFolderError("the members of an ensemble answered different utterances; train them anew")
    columns = [*(f"p_{name}" for name in classes), *(f"{PREDICTED}{name}" for name in dimension_names(first))]
    answers = averaged([table[columns].to_numpy(np.float64) for table in tables], weights)
    kept = [name for name in first.columns if not name.startswith((COUNTED, PREDICTED)) and name not in columns]
    table = first[kept]
    if classes:
        table = table.assign(predicted=np.array(classes)[answers[:, : len(classes)].argmax(1)])
    return pd.concat([table, pd.DataFrame(answers, columns=columns, index=table.index)], axis=1)
