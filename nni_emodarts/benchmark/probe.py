"""A linear probe measured fold by fold, as `retrain` measures a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from nni_emodarts.benchmark.fitted import note_fitted
from nni_emodarts.config import ExperimentConfig, PretrainedStream
from nni_emodarts.data.answer_tables import describe_rows, with_values
from nni_emodarts.data.enrolment import ALL, Enrolment
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends import front_end_facts
from nni_emodarts.data.protocols import Rows
from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.enrolment import COUNTED, PREDICTED
from nni_emodarts.metrics.headline import BOTH, CCC, UAR
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.models.baselines.probe import INNER_FOLDS, STRENGTHS, ProbeDesign
from nni_emodarts.models.baselines.probe_fitting import Heard, choose, count_parameters, fit_probe
from nni_emodarts.models.baselines.rating import RIDGE, SUPPORT_VECTORS, choose_rating, fit_raters
from nni_emodarts.runtime.environment import Stopwatch
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.pooled_levels import columns_of, pooled_features, read_levels
from nni_emodarts.training.retrain import score_predictions
from nni_emodarts.training.retrain.elsewhere import Elsewhere, joined

NO_LEVELS = (
    "the features hold no level of a pretrained encoder; name one by --front-end MODEL, or leave this method out"
)


def measure_probe(
    task: FoldTask,
    design: ProbeDesign,
    folder: RunFolder,
    progress: Progress = silent,
    elsewhere: Elsewhere = Elsewhere(),  # noqa: B008 - it does not change
) -> JsonObject:
    """Choose level and strength inside the training speakers, fit a probe on them, and read the test part once.

    Training speakers are those of the train and of the validation part; validation figures are those of their inner
    folds. Dimensions are learnt by regressions, whose level and strength are chosen by CCC, of their own.

    Args:
        task: the fold; the seed draws the recordings that utterances are normalised by, where they are, and nothing
            else.
        design: which probe.
        folder: where the run's files go.
        progress: called as levels are read.
        elsewhere: corpora that it is scored on besides.

    Returns:
        What the folder's metrics.json holds.

    Raises:
        ConfigError: the features hold no pretrained stream.
    """
    stream = levels_of(task.config)
    numbers = stream.levels or front_end_facts(stream).levels
    with folder.held():
        task.note_corpus(folder)
        watch = Stopwatch()
        fold, classes = task.fold, list(task.corpus.manifest.classes)
        learnt = task.corpus.manifest.decided(np.union1d(fold.train, fold.validation))
        test = np.sort(fold.test)
        places = [len(numbers) - 1] if design.last_level else list(range(len(numbers)))
        progress("levels", 0, len(places))
        levels = read_levels(task.without_validation(), learnt, places)
        progress("levels", len(places), len(places))
        parts = [
            *([_tell_classes(task, levels, places, learnt)] if classes else []),
            *([_rate(task, design, levels, places, learnt)] if task.outputs.dimensions else []),
        ]
        whole = task.without_validation()
        table = marked(_table(whole, parts, test), task.config.tracks)
        undecided = marked(_table(whole, parts, fold.undecided), task.config.tracks) if len(fold.undecided) else None
        figures = {name: value for part in parts for name, value in part.figures.items()}
        if len(figures) > 1:
            figures[BOTH.val] = sum(figures.values()) / len(figures)
        metrics = {
            **figures,
            "best_epoch": None,
            "fold": fold.index,
            "seed": task.seed,
            "architecture": design.id,
            "parameters": sum(part.parameters for part in parts),
            "classes": classes,
            "level": numbers[places[parts[0].level]],
            "strength": parts[0].strength,
            **task.config.tracks,
            **score_predictions(table, classes, undecided),
        }
        if elsewhere.corpora:
            fitted = whole.normalizer if task.config.speaker_adapted else None
            others = {name: whole.elsewhere(other, fitted) for name, other in elsewhere.corpora}
            tables = {name: _table(own, parts, own.fold.test) for name, own in others.items()}
            metrics |= elsewhere.note(whole, joined(tables), folder, {})
        note_fitted(folder, task.config, (table, undecided), metrics, watch)
        return metrics


@dataclass(frozen=True)
class _Part:
    """What a probe has learnt: classes, or dimensions.

    Attributes:
        figures: of validation, by name.
        level: place of the level that was chosen.
        strength: of the regularisation that was chosen, as the probe counts it.
        parameters: weights and offsets.
        answer: adds its answers to the table of rows of a fold.
    """

    figures: dict[str, float]
    level: int
    strength: float
    parameters: int
    answer: Callable[[FoldTask, pd.DataFrame, Rows], pd.DataFrame]


def _table(task: FoldTask, parts: Sequence[_Part], rows: Rows) -> pd.DataFrame:
    """The table of predictions of rows."""
    table = describe_rows(task, rows)
    for part in parts:
        table = part.answer(task, table, rows)
    return table


def _tell_classes(task: FoldTask, levels: Sequence[Heard], places: Sequence[int], learnt: Rows) -> _Part:
    labels = task.labels(learnt)
    chosen = choose(levels, STRENGTHS, labels, task.voices.numbers[learnt], INNER_FOLDS)
    probe = fit_probe(levels[chosen.level], np.arange(len(learnt)), labels, chosen.strength)

    def answer(heard: FoldTask, table: pd.DataFrame, rows: Rows) -> pd.DataFrame:
        return _answers(heard, probe, table, rows, places[chosen.level])

    return _Part({UAR.val: chosen.uar}, chosen.level, chosen.strength, count_parameters(probe), answer)


def _rate(task: FoldTask, design: ProbeDesign, levels: Sequence[Heard], places: Sequence[int], learnt: Rows) -> _Part:
    regression = SUPPORT_VECTORS if design.regression == "svr" else RIDGE
    true = task.outputs.to_unit(task.corpus.manifest.values[learnt])
    chosen = choose_rating(regression, levels, true, task.voices.numbers[learnt], INNER_FOLDS)
    raters = fit_raters(regression, levels[chosen.level], np.arange(len(learnt)), true, chosen.strength)

    def answer(heard: FoldTask, table: pd.DataFrame, rows: Rows) -> pd.DataFrame:
        features = pooled_features(heard, rows, ALL)[:, columns_of(heard, places[chosen.level])]
        outputs = task.outputs.brought(task.corpus.manifest.scale, heard.corpus.manifest.scale)
        return with_values(heard, table, rows, outputs.from_unit(raters.rate(features)))

    return _Part({CCC.val: chosen.ccc}, chosen.level, chosen.strength, raters.parameters, answer)


def levels_of(config: ExperimentConfig) -> PretrainedStream:
    """The one pretrained stream of a configuration.

    Raises:
        ConfigError: there is none, or more than one.
    """
    streams = config.features.pretrained
    if not streams:
        raise ConfigError(NO_LEVELS)
    if len(streams) > 1:
        names = ", ".join(stream.name for stream in streams)
        raise ConfigError(f"a method that hears levels of one pretrained encoder is given {names}; name one of them")
    return streams[0]


def _answers(task: FoldTask, probe: Pipeline, table: pd.DataFrame, rows: Rows, place: int) -> pd.DataFrame:
    """The table of test rows with predictions; with what is answered by each enrolment, where there is any."""
    columns, classes = columns_of(task, place), np.array(task.corpus.manifest.classes)

    def probabilities(enrolment: Enrolment) -> np.ndarray:
        found = np.zeros((len(rows), len(classes)))
        found[:, probe.classes_] = probe.predict_proba(
            pooled_features(task, rows, enrolment)[:, columns].astype(np.float64)
        )
        return found

    headline = probabilities(ALL)
    table = table.assign(predicted=classes[headline.argmax(1)])
    more = {f"p_{name}": headline[:, number] for number, name in enumerate(classes)}
    if task.enrolments:
        more[f"{COUNTED}{ALL.name}"] = task.enrolled(rows, ALL)
    for enrolment in task.enrolments:
        more[f"{COUNTED}{enrolment.name}"] = task.enrolled(rows, enrolment)
        more[f"{PREDICTED}{enrolment.name}"] = classes[probabilities(enrolment).argmax(1)]
    return pd.concat([table, pd.DataFrame(more)], axis=1)
