"""The utterances that a run confused most, and their sound."""

import io
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import soundfile

from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.data.features.audio import read_audio
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.errors import ManifestError
from nni_emodarts.report.runs import Run

_SAMPLING_RATE = 16_000
"""Sampling rate in Hz of a sound that is put into a report: enough for speech, half the size of more."""
MAX_SECONDS = 30.0
"""A sound is cut there, so that a report stays small."""


@dataclass(frozen=True)
class Utterance:
    """An utterance that was not recognised.

    Attributes:
        file: its name in the manifest.
        part: which of its speaker's segments of the file it is, counted from 0.
        speaker: its speaker.
        emotion: its emotion.
        predicted: what it was taken for, by most seeds.
        wrong: seeds that were wrong, of `seeds`.
        seeds: seeds that it was predicted with.
        p_true: mean probability of its emotion.
        p_predicted: mean probability of what it was taken for.
        wav: its sound as a WAV file; None where it was not asked for.
    """

    file: str
    part: int
    speaker: str
    emotion: str
    predicted: str
    wrong: int
    seeds: int
    p_true: float
    p_predicted: float
    wav: bytes | None = None


def most_confused(run: Run, count: int, audio: bool = False) -> list[Utterance]:
    """The utterances whose emotion a run gave the lowest probability while it took them for another.

    Args:
        run: the run.
        count: how many at most.
        audio: also read their sound.

    Raises:
        ManifestError: the sound is asked for, and the manifest is not where the run's configuration says.
    """
    table = run.predictions
    if table is None or not run.classes or not all(f"p_{name}" in table.columns for name in run.classes):
        return []
    worst = _rank(table, run.classes)[:count]
    if not (audio and worst):
        return worst
    if run.config is None:
        raise ManifestError(f"run {run.path} says nothing of its manifest (config.yml); leave out --audio")
    manifest = load_manifest(run.config)
    return [replace(each, wav=_read_sound(each, manifest)) for each in worst]


def _rank(table: pd.DataFrame, classes: tuple[str, ...]) -> list[Utterance]:
    probabilities = table[[f"p_{name}" for name in classes]].to_numpy(np.float64)
    rows = np.arange(len(table))
    true = pd.Index(classes).get_indexer(pd.Index(table["emotion"]))
    known = table.assign(
        part=table.groupby(["fold", "seed", "file", "speaker"]).cumcount(),
        p_true=probabilities[rows, true],
        wrong=table["emotion"] != table["predicted"],
    )
    found = []
    for _, seeds in known.groupby(["fold", "file", "speaker", "part"], sort=False):
        wrong = seeds[seeds["wrong"]]
        if 2 * len(wrong) <= len(seeds):
            continue
        predicted = wrong["predicted"].mode().iloc[0]
        first = seeds.iloc[0]
        found.append(
            Utterance(
                file=str(first["file"]),
                part=int(first["part"]),
                speaker=str(first["speaker"]),
                emotion=str(first["emotion"]),
                predicted=str(predicted),
                wrong=len(wrong),
                seeds=len(seeds),
                p_true=float(seeds["p_true"].mean()),
                p_predicted=float(seeds[f"p_{predicted}"].mean()),
            )
        )
    return sorted(found, key=lambda each: (each.p_true - each.p_predicted, each.file))


def _read_sound(utterance: Utterance, manifest: Manifest) -> bytes | None:
    """An utterance's sound; None where the manifest's line is not surely the one that was scored."""
    own = (np.array(manifest.names) == utterance.file) & (manifest.table["speaker"] == utterance.speaker).to_numpy()
    rows = np.flatnonzero(own)
    if utterance.part >= len(rows):
        return None
    row = manifest.table.iloc[rows[utterance.part]]
    if row["emotion"] != utterance.emotion:
        return None
    start, end = (None if np.isnan(row[name]) else float(row[name]) for name in ("start", "end"))
    sound = read_audio(row["file"], _SAMPLING_RATE, start, end)[: round(MAX_SECONDS * _SAMPLING_RATE)]
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound, -1, 1), _SAMPLING_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()
