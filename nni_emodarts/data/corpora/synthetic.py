"""The embedded corpus: speech-like utterances by source-filter synthesis.

Card
    What it is: invented speakers say sentences of random syllables in four manners (anger, happiness, neutral,
    sadness), one clip of about 1.0 to 2.5 s each, 16 kHz, 16 bit, mono, FLAC. Every sentence is said by every speaker
    in every manner, so that content has no emotion. A speaker has a pitch, a vocal tract, a rate, a loudness, a voice
    quality and a channel. An emotion moves these *relative to the speaker*, and shows above all in movement: accents
    and energy within a syllable, rhythm, pauses, tremor. Level and spectral tilt also vary with the channel, so that
    an average over time misleads.
    Arousal, valence and dominance, from 1 to 7, follow from how an utterance is said, its chance deviations included,
    and not from its emotion alone: they are what a listener would rate who hears the manner and nothing else.
    What it is for: examples, tests and checks that a network learns, without a download.
    What it is not: speech. The acoustic correlates are exaggerated, simplified and chosen by hand; a figure on
    this corpus says nothing about the recognition of real emotions and must never be used for such a claim.
    Licence: CC0 1.0. Every sample is computed; no recording enters.
"""

import fcntl
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from nni_emodarts.config import SCALE_COLUMN
from nni_emodarts.data.corpora.manners import EMOTIONS, RATED, SCALE
from nni_emodarts.data.corpora.synthesis import SAMPLING_RATE, draw_speaker, manner_of, say
from nni_emodarts.data.dimensions import written
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.runtime.cache import usable
from nni_emodarts.runtime.progress import Progress, silent

VERSION = 2
"""Raised with every change of the sound or of what the manifest says, so that no cache serves an older corpus."""


def ensure_corpus(cache: Path) -> Path:
    """The default corpus, made where it does not exist yet.

    Safe among processes: one makes it under a lock that ends with its holder, the others wait. It appears under its
    name in one step, so that a corpus of that name is complete.

    Args:
        cache: folder in which `synthetic-<version>/` lies or is made.

    Returns:
        Path of the manifest.

    Raises:
        ConfigError: the folder cannot be used.
    """
    folder = cache / f"synthetic-{VERSION}"
    with usable(cache):
        if not folder.exists():
            cache.mkdir(parents=True, exist_ok=True)
            _make_once(folder)
    return folder / "manifest.csv"


def _make_once(folder: Path) -> None:
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_name(f".{folder.name}.part")
            shutil.rmtree(unfinished, ignore_errors=True)
            make_corpus(unfinished)
            unfinished.rename(folder)


def make_corpus(
    folder: Path, speakers: int = 8, utterances: int = 8, seed: int = 0, progress: Progress = silent
) -> Path:
    """Make a corpus of speakers x emotions x utterances clips.

    Every utterance has its own random numbers: a larger corpus holds the smaller one of the same seed.

    Args:
        folder: where to put it; must not exist or be empty.
        speakers: number of speakers, male and female in turn.
        utterances: number of utterances of each speaker and emotion.
        seed: equal seeds give equal files.
        progress: called after each speaker.

    Returns:
        Path of the manifest, which is written last.

    Raises:
        ConfigError: a number out of bounds.
        RunFolderError: the folder is taken.
    """
    for name, value, bound in (("speakers", speakers, 1), ("utterances", utterances, 1), ("seed", seed, 0)):
        if value < bound:
            raise ConfigError(f"synthetic corpus: {name} is {value} but must be at least {bound}")
    if folder.exists() and any(folder.iterdir()):
        raise RunFolderError(f"synthetic corpus: {folder} is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(speakers):
        speaker = draw_speaker(number, seed)
        for emotion in EMOTIONS:
            for utterance in range(utterances):
                file, text = f"{speaker.name}_{emotion}_{utterance + 1:02d}.flac", f"{utterance + 1:02d}"
                samples = say(number, emotion, utterance, seed)
                (folder / file).write_bytes(_as_flac(samples))
                manner = manner_of(number, emotion, utterance, seed)
                rated = (f"{dimension.rate(manner):.2f}" for dimension in RATED.values())
                rows.append((file, emotion, speaker.name, speaker.gender, text, *rated, written(SCALE)))
        progress("clips", len(rows), speakers * len(EMOTIONS) * utterances)
    manifest = folder / "manifest.csv"
    columns = ["file", "emotion", "speaker", "gender", "text", *RATED, SCALE_COLUMN]
    pd.DataFrame(rows, columns=columns).to_csv(manifest, index=False, lineterminator="\n")
    return manifest


def _as_flac(samples: np.ndarray) -> bytes:
    """Encoded in memory: a disk that is full is then an `OSError`, which libsndfile does not report."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
