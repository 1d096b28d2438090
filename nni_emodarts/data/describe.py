"""What the recordings of a manifest hold, and what is wrong with them.

Each utterance is decoded once, block by block, so that memory stays the same however long it is, and no further than
tells that it is too long. What cannot be used is judged by the rule that features are made by (`features.audio`);
beyond it, recordings are named that can be used and that somebody should listen to. Levels are in dBFS: a sine wave at
full scale has -3.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from nni_emodarts.data.containers.track import UNKNOWN_FRAMES, Track
from nni_emodarts.data.describe_dimensions import DimensionsDescription
from nni_emodarts.data.describe_folds import FoldsDescription, check_protocol, describe_folds
from nni_emodarts.data.describe_labels import count_classes, count_speakers
from nni_emodarts.data.describe_reading import read_described
from nni_emodarts.data.describe_votes import describe_votes
from nni_emodarts.data.features.audio import (
    CLIPPED_SHARE,
    QUIET_DBFS,
    find_fault,
    full_scale,
    header_fault,
    mix_down,
    most_samples,
    open_stretch,
)
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import LOSO_SPEAKERS
from nni_emodarts.errors import AudioError
from nni_emodarts.metrics.notation import duration_text
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.writing import check_output, write_output

WINDOWS_PER_SECOND = 50
"""Windows by which silence is measured: 20 ms."""
SILENT_SHARE = 0.9
"""Share of silent windows from which a recording is named. RAVDESS, with its long pauses, has about 0.6."""
CHUNK = 256
"""Utterances between two reports of progress."""

KINDS = {
    "unusable": "cannot be used",
    "header": "with a header that does not fit",
    "clipped": f"clipped (at least {CLIPPED_SHARE:.1%} of the samples at full scale)",
    "quiet": f"quiet (level below {QUIET_DBFS:g} dBFS)",
    "pauses": f"mostly silent (at least {SILENT_SHARE:.0%} of the windows of 20 ms below {QUIET_DBFS:g} dBFS)",
    "duplicate": "with the same samples as another",
    "dimensions": "of dimensions, which training would refuse",
}
"""What can be wrong, the worst first: with a recording, and with the manifest's numbers."""
MANIFEST = "(manifest)"
"""What has a fault that is no recording's."""


@dataclass(frozen=True)
class Sound:
    """What decoding an utterance showed.

    Attributes:
        fault: why it cannot be used; what follows may then be missing.
        rate: sampling rate in Hz.
        channels: channels.
        format: container and encoding, such as `WAV PCM_16`.
        seconds: its length.
        level: mean power over all channels in dBFS.
        clipped: share of its samples at full scale.
        silent: share of its windows that are silent.
        digest: of its decoded samples.
        header: how its header and its samples differ.
    """

    fault: str | None
    rate: int = 0
    channels: int = 0
    format: str = ""
    seconds: float = float("nan")
    level: float = float("nan")
    clipped: float = 0.0
    silent: float = 0.0
    digest: bytes = b""
    header: str | None = None


@dataclass(frozen=True)
class Description:
    """A manifest's recordings in figures.

    Attributes:
        classes: utterances by class and gender, with sums.
        speakers: gender, utterances, seconds and classes by speaker.
        sounds: rate, channels, format, seconds, level, clipped and silent of each utterance; NaN or 0 where unknown.
        findings: kind, file, reason of what is wrong, the worst kind first.
        notes: what is wrong with the manifest as a whole.
        files: number of files.
        folds: what the folds of a protocol hold, where one was named.
        agreement: how far annotators agree, where there are votes: name of a figure -> text.
        dimensions: what they hold, where there are any.
    """

    classes: pd.DataFrame
    speakers: pd.DataFrame
    sounds: pd.DataFrame
    findings: pd.DataFrame
    notes: tuple[str, ...]
    files: int
    folds: FoldsDescription | None = None
    agreement: Mapping[str, str] = field(default_factory=dict)
    dimensions: DimensionsDescription | None = None

    def lines(self) -> dict[str, str]:
        """The figures as lines of text by name."""
        read = self.sounds[self.sounds["rate"] > 0]
        seconds = read["seconds"].dropna()
        texts = {"recordings": f"{len(self.sounds)} utterances in {self.files} files"}
        if len(seconds):
            texts["durations"] = (
                f"min {seconds.min():.2f} s, median {seconds.median():.2f} s, max {seconds.max():.2f} s, total "
                f"{duration_text(seconds.sum())} h"
            )
            texts["level"] = f"median {read['level'].median():.1f} dBFS, lowest {read['level'].min():.1f} dBFS"
            texts["full scale"] = (
                f"{np.average(read['clipped'], weights=read['seconds'].fillna(0) + 1e-9):.4%} of the samples; most in "
                f"one recording {read['clipped'].max():.4%}"
            )
        for name, column, unit in (
            ("sampling rates", "rate", " Hz"),
            ("channels", "channels", ""),
            ("formats", "format", ""),
        ):
            counts = read[column].value_counts()
            texts[name] = ", ".join(f"{value}{unit} ({count})" for value, count in counts.items()) or "-"
        return {**texts, **self.agreement}


def describe(
    manifest: Manifest,
    threads: int | None = None,
    progress: Progress = silent,
    protocol: str | None = None,
    rated: DimensionsDescription | None = None,
) -> Description:
    """Decode every utterance of a manifest and say what it holds.

    Args:
        manifest: the utterances.
        threads: how many decode at once; one a core where absent.
        progress: called as recordings are read.
        protocol: the protocol whose folds are described, too.
        rated: what its dimensions hold, where there are any.

    Raises:
        ProtocolError: the manifest cannot give its folds.
    """
    if protocol is not None:
        check_protocol(manifest, protocol)
    table = manifest.table
    names = manifest.names
    faults: list[tuple[str, str, str]] = []
    columns: dict[str, list[float | int | str]] = {
        name: [] for name in ("rate", "channels", "format", "seconds", "level", "clipped", "silent")
    }
    digests: list[bytes] = []
    for row, sound in enumerate(_listen(table, threads or len(os.sched_getaffinity(0)), progress)):
        for name, values in columns.items():
            values.append(getattr(sound, name))
        digests.append(sound.digest if sound.fault is None else b"")
        faults += ((kind, names[row], reason) for kind, reason in _judge(sound))
    faults += _duplicates(table, names, digests)
    faults += [] if rated is None else [("dimensions", MANIFEST, fault) for fault in rated.faults]
    found = pd.DataFrame(faults, columns=["kind", "file", "reason"])
    order = pd.Categorical(found["kind"], list(KINDS), ordered=True)
    found = found.assign(kind=order).sort_values("kind", kind="stable").reset_index(drop=True)
    found["kind"] = found["kind"].astype(str).map(KINDS)
    sounds = pd.DataFrame(columns)
    return Description(
        count_classes(manifest), count_speakers(table, sounds["seconds"]), sounds, found,
        (*manifest.notes, *_notes(table)), table["file"].nunique(),
        None if protocol is None else describe_folds(manifest, protocol, digests),
        describe_votes(manifest), rated,
    )  # fmt: skip


def describe_manifest(
    manifest: str,
    out: Path | None = None,
    *,
    protocol: str | None = None,
    targets: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = silent,
) -> Description:
    """Describe a manifest's file.

    Args:
        manifest: the file, or `synthetic` for the embedded corpus; several as one with commas between them.
        out: a CSV file for what is wrong; none where absent.
        protocol: the protocol whose folds are described, too; of a list of folds with what is on both sides.
        targets: names of its dimensions; those of arousal, valence and dominance that are there where empty.
        overwrite: replace that file.
        progress: called after each block of recordings.

    Raises:
        ManifestError: it cannot be used.
        ProtocolError: it cannot give the protocol's folds.
        RunFolderError: `out` is taken or cannot be written.
    """
    if out is not None:
        check_output(out, overwrite, "findings.csv")  # before minutes are spent on recordings
    table, rated = read_described(manifest, targets)
    description = describe(table, progress=progress, protocol=protocol, rated=rated)
    if out is not None:
        write_findings(description, out)
    return description


def write_findings(description: Description, out: Path) -> None:
    """Write what is wrong: kind, file, reason.

    Raises:
        RunFolderError: the file cannot be written.
    """
    write_output(out, description.findings.to_csv(index=False).encode())


def _listen(table: pd.DataFrame, threads: int, progress: Progress) -> Iterator[Sound]:
    """What each row holds, in order. Decoding, hashing and sums release Python's lock: threads share the cores."""
    stretches = list(zip(table["file"], _seconds(table["start"]), _seconds(table["end"]), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(stretches), CHUNK):
            yield from pool.map(lambda stretch: _listen_to(*stretch), stretches[first : first + CHUNK])
            progress("reading", min(first + CHUNK, len(stretches)), len(stretches))


def _seconds(times: pd.Series) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in times]


def _listen_to(file: str, start: float | None, end: float | None) -> Sound:
    try:
        with open_stretch(file, start, end) as stretch:
            sound = stretch.sound
            window = max(1, sound.samplerate // WINDOWS_PER_SECOND)
            sums = _Sums(full_scale(sound), window)
            for block in stretch.blocks(window):
                sums.add(block)
                if sums.samples > most_samples(sound.samplerate, sound.channels):  # no utterance, whatever is left
                    break
            return _conclude(sound, stretch.samples, sums)
    except AudioError as error:
        return Sound(str(error).removeprefix(f"{file}: "))


class _Sums:
    """What is added up over the blocks of an utterance."""

    def __init__(self, full_scale: float, window: int) -> None:
        self._full_scale = full_scale
        self._window = window
        self._hash = hashlib.blake2b(digest_size=16)
        self.samples = 0
        self.low, self.high = np.inf, -np.inf
        self.power = 0.0
        self.at_full_scale = 0
        self.windows = 0
        self.silent_windows = 0

    @property
    def digest(self) -> bytes:
        """Of the samples."""
        return self._hash.digest()

    def add(self, block: np.ndarray) -> None:
        """Add a block (B, channels); B is a multiple of the window, but in the last one."""
        block = np.ascontiguousarray(block)
        self._hash.update(block.data)
        mono = mix_down(block)
        with np.errstate(invalid="ignore", over="ignore"):  # samples that are not finite are a fault later
            self.low = float(np.minimum(self.low, mono.min()))
            self.high = float(np.maximum(self.high, mono.max()))
            if not np.abs([block.min(), block.max()]).max() < self._full_scale:
                self.at_full_scale += int(np.count_nonzero(np.abs(block) >= self._full_scale))
            # As loud as a network hears it: channels of opposite phase are silence.
            whole = len(mono) // self._window * self._window
            windows = mono[:whole].reshape(-1, self._window)
            power = np.einsum("ij,ij->i", windows, windows).astype(np.float64)
            rest = float(np.square(mono[whole:]).sum())
            self.power += float(power.sum()) + rest
            levels = power / self._window
            if whole < len(mono):
                levels = np.append(levels, rest / (len(mono) - whole))
            self.silent_windows += int((levels < 10 ** (QUIET_DBFS / 10)).sum())
        self.windows += len(levels)
        self.samples += len(block)


def _conclude(sound: Track, promised: int, sums: _Sums) -> Sound:
    samples = sums.samples
    rate, channels = sound.samplerate, sound.channels
    cut = samples > most_samples(rate, channels)
    length = promised if cut and promised < UNKNOWN_FRAMES else samples
    return Sound(
        fault=find_fault(samples, rate, *((sums.low, sums.high) if samples else (0.0, 0.0)), channels),
        rate=rate,
        channels=channels,
        format=f"{sound.format} {sound.subtype}",
        seconds=length / rate,
        level=_level(sums.power / max(samples, 1)),
        clipped=sums.at_full_scale / max(samples * channels, 1),
        silent=sums.silent_windows / max(sums.windows, 1),
        digest=sums.digest,
        header=header_fault(sound, promised, length),
    )


def _level(power: float) -> float:
    """Power in dBFS; NaN where it is zero or not finite."""
    return float(10 * np.log10(power)) if 0 < power < np.inf else float("nan")


def _judge(sound: Sound) -> Iterator[tuple[str, str]]:
    """Kinds and reasons of what is wrong with an utterance by itself."""
    if sound.header is not None:
        yield "header", sound.header
    if sound.fault is not None:
        yield "unusable", sound.fault
        return
    if sound.clipped >= CLIPPED_SHARE:
        yield "clipped", f"{sound.clipped:.2%} of its samples are at full scale"
    if not sound.level >= QUIET_DBFS:
        yield "quiet", f"its level is {sound.level:.1f} dBFS"
    elif sound.silent >= SILENT_SHARE:
        yield "pauses", f"{sound.silent:.0%} of it is silent"


def _duplicates(table: pd.DataFrame, names: Sequence[str], digests: Sequence[bytes]) -> Iterator[tuple[str, str, str]]:
    """Utterances with the samples of an earlier one, and whose labels differ besides."""
    first: dict[bytes, int] = {}
    labels = {name: table[name].tolist() for name in ("emotion", "speaker")}
    for row, digest in enumerate(digests):
        if not digest:
            continue
        earlier = first.setdefault(digest, row)
        if earlier != row:
            differ = [name for name, values in labels.items() if values[row] != values[earlier]]
            besides = f", but another {' and '.join(differ)}" if differ else ""
            yield "duplicate", names[row], f"the same samples as {names[earlier]}{besides}"


def _notes(table: pd.DataFrame) -> Iterator[str]:
    unnamed = table["speaker"].tolist().count("")
    if unnamed:
        yield f"{unnamed} of {len(table)} utterances have no speaker; each counts as a speaker of its own"
    speakers = len(set(table["speaker"]) - {""}) + unnamed
    if speakers < LOSO_SPEAKERS:
        yield f"{speakers} speaker{'s' if speakers > 1 else ''}; protocol loso needs at least {LOSO_SPEAKERS}"
