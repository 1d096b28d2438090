"""A recogniser's answers as text, one at a time: a table to read, CSV, or a JSON list."""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nni_emodarts.config import DIMENSIONS
from nni_emodarts.data.corpora.msp_podcast import CARD
from nni_emodarts.data.corpora.msp_podcast import EMOTIONS as MSP_PODCAST
from nni_emodarts.deploy.enrolment import Enrolment
from nni_emodarts.deploy.predictions import Failure, Moment, Prediction
from nni_emodarts.deploy.recogniser import OVERLAP, WINDOW, EmotionRecognizer
from nni_emodarts.deploy.windows import check_windows
from nni_emodarts.errors import AudioError, ConfigError
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent

SILENCE = "(silence)"
"""What a table calls a window that was not recognised; CSV leaves it blank and JSON null."""


class Writer(ABC):
    """Turns answers into text.

    Args:
        labels: names of the classes; none of a network that answers in dimensions alone.
        timed: whether answers are windows.
        dimensions: names of the dimensions.
    """

    def __init__(self, labels: Sequence[str], timed: bool, dimensions: Sequence[str] = ()) -> None:
        self._labels = labels
        self._dimensions = dimensions
        self._timed = timed

    @abstractmethod
    def head(self) -> str:
        """What stands before the first answer."""

    @abstractmethod
    def line(self, answer: Prediction | Moment) -> str:
        """One answer."""

    def tail(self) -> str:
        """What stands behind the last answer."""
        return ""


class TableWriter(Writer):
    """Columns to read; the file comes last, as its name may be long."""

    def __init__(self, labels: Sequence[str], timed: bool, dimensions: Sequence[str] = ()) -> None:
        super().__init__(labels, timed, dimensions)
        self._width = max(len(name) for name in (*labels, SILENCE, "emotion"))
        self._columns = (*labels, *dimensions)

    def head(self) -> str:
        """Names of the columns."""
        times = f"{'start':>9} {'end':>9}  " if self._timed else ""
        emotion = f"{'emotion':{self._width}}  " if self._labels else ""
        return f"{times}{emotion}{' '.join(f'{name:>{max(len(name), 5)}}' for name in self._columns)}  file\n"

    def line(self, answer: Prediction | Moment) -> str:
        """A row."""
        times = f"{answer.start:9.2f} {answer.end:9.2f}  " if isinstance(answer, Moment) else ""
        emotion = f"{answer.emotion or SILENCE:{self._width}}  " if self._labels else ""
        figures = {**answer.probabilities, **answer.dimensions}
        shown = " ".join(f"{f'{figures[name]:.3f}' if figures else '-':>{max(len(name), 5)}}" for name in self._columns)
        return f"{times}{emotion}{shown}  {answer.file}\n"


class CsvWriter(Writer):
    """Columns `file`, `start` and `end` of a window, `emotion`, `p_` of each class, and the dimensions by name."""

    def head(self) -> str:
        """The header."""
        times = ["start", "end"] if self._timed else []
        emotion = ["emotion"] if self._labels else []
        return _csv_line(["file", *times, *emotion, *(f"p_{label}" for label in self._labels), *self._dimensions])

    def line(self, answer: Prediction | Moment) -> str:
        """A row."""
        times = [f"{answer.start:.3f}", f"{answer.end:.3f}"] if isinstance(answer, Moment) else []
        shares = [f"{answer.probabilities[label]:.8g}" if answer.probabilities else "" for label in self._labels]
        emotion = [answer.emotion or ""] if self._labels else []
        values = [f"{answer.dimensions[name]:.8g}" if answer.dimensions else "" for name in self._dimensions]
        return _csv_line([answer.file, *times, *emotion, *shares, *values])


class JsonWriter(Writer):
    """A list of `{file, emotion, probabilities}`, windows with `start` and `end` besides; one answer a line.

    Of a network that answers in dimensions `dimensions` stands behind these, or in place of emotion and probabilities.
    """

    def __init__(self, labels: Sequence[str], timed: bool, dimensions: Sequence[str] = ()) -> None:
        super().__init__(labels, timed, dimensions)
        self._begun = False

    def head(self) -> str:
        """The list's beginning."""
        return "["

    def line(self, answer: Prediction | Moment) -> str:
        """An object; the comma before it, so that the list is whole wherever the answers end."""
        data: JsonObject = {"file": answer.file}
        if isinstance(answer, Moment):
            data |= {"start": answer.start, "end": answer.end}
        if self._labels:
            data |= {"emotion": answer.emotion, "probabilities": answer.probabilities}
        if self._dimensions:
            data["dimensions"] = answer.dimensions
        comma = "," if self._begun else ""
        self._begun = True
        return f"{comma}\n{json.dumps(data, ensure_ascii=False)}"

    def tail(self) -> str:
        """The list's end."""
        return "\n]\n"


class ChallengeWriter(Writer):
    """A CSV form in which challenges of MSP-Podcast take Test3: a line a recording, by the file's own name.

    Raises:
        ConfigError: answers are windows.
    """

    form: str
    columns: tuple[str, ...]

    def __init__(self, labels: Sequence[str], timed: bool, dimensions: Sequence[str] = ()) -> None:
        super().__init__(labels, timed, dimensions)
        if timed:
            raise ConfigError(f"format: {self.form} has one line a recording; leave out --over-time, or choose csv")

    def head(self) -> str:
        """The header."""
        return _csv_line(["FileName", *self.columns])

    def line(self, answer: Prediction | Moment) -> str:
        """A row."""
        return _csv_line([Path(answer.file).name, *self.cells(answer)])

    @abstractmethod
    def cells(self, answer: Prediction | Moment) -> Sequence[str]:
        """What is answered."""


class ClassChallengeWriter(ChallengeWriter):
    """Columns `FileName` and `EmoClass`, a letter.

    Raises:
        ConfigError: a class is none of the corpus, or there are none.
    """

    form = "msp_podcast"
    columns = ("EmoClass",)

    def __init__(self, labels: Sequence[str], timed: bool, dimensions: Sequence[str] = ()) -> None:
        super().__init__(labels, timed, dimensions)
        self._letters = {name: letter for letter, name in MSP_PODCAST.items()}
        unknown = [label for label in labels if label not in self._letters]
        if unknown:
            raise ConfigError(
                f"format: msp_podcast has no letter for {', '.join(unknown)}, a class of this network; it has some for "
                f"{', '.join(MSP_PODCAST.values())}: retrain on these, or choose csv"
            )
        if not labels:
            raise ConfigError(
                "format: msp_podcast is of classes, which this network does not tell apart; choose "
                "msp_podcast_dimensions, or csv"
            )

    def cells(self, answer: Prediction | Moment) -> Sequence[str]:
        """The letter of the class."""
        return [self._letters[str(answer.emotion)]]


class DimensionChallengeWriter(ChallengeWriter):
    """Columns `FileName`, `EmoAct`, `EmoVal` and `EmoDom`, on the corpus's scale of 1 to 7, to which they are clipped.

    Raises:
        ConfigError: the network does not answer in arousal, valence and dominance.
    """

    form = "msp_podcast_dimensions"
    columns = ("EmoAct", "EmoVal", "EmoDom")

    def __init__(self, labels: Sequence[str], timed: bool, dimensions: Sequence[str] = ()) -> None:
        super().__init__(labels, timed, dimensions)
        if missing := [name for name in DIMENSIONS if name not in dimensions]:
            raise ConfigError(
                f"format: msp_podcast_dimensions wants {', '.join(missing)}, in which this network does not answer; "
                f"retrain with data.task dimensions or both, or choose csv"
            )

    def cells(self, answer: Prediction | Moment) -> Sequence[str]:
        """The values."""
        low, high = CARD.scale or (1.0, 7.0)
        return [f"{min(max(answer.dimensions[name], low), high):.8g}" for name in DIMENSIONS]


WRITERS: dict[str, type[Writer]] = {
    "table": TableWriter,
    "csv": CsvWriter,
    "json": JsonWriter,
    **{each.form: each for each in (ClassChallengeWriter, DimensionChallengeWriter)},
}


def make_writer(name: str) -> type[Writer]:
    """The writer of a format.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in WRITERS:
        raise ConfigError(f"format: {name!r} is unknown; known: {', '.join(WRITERS)}")
    return WRITERS[name]


@dataclass(frozen=True)
class Line:
    """A piece of the text that answers make.

    Attributes:
        text: what comes next; empty of a recording that could not be recognised.
        notes: what may mislead about the answer, each with its file.
        error: why a recording could not be recognised.
    """

    text: str
    notes: tuple[str, ...] = ()
    error: str | None = None


def answer_lines(
    model: str | Path,
    files: Sequence[str],
    form: str = "table",
    *,
    fold: int | None = None,
    seed: int | None = None,
    over_time: bool = False,
    window: float = WINDOW,
    overlap: float = OVERLAP,
    batch_size: int = 1,
    enrolment: Sequence[str] = (),
    front_end: str | None = None,
    progress: Progress = silent,
) -> Iterator[Line]:
    """Recognise files, and write the answers as text, as they are found.

    Args:
        model: a run folder, or a file that `emodarts export` wrote.
        files: recordings.
        form: `table`, `csv`, `json`, or `msp_podcast` and `msp_podcast_dimensions` for its challenges.
        fold: takes the network of this fold of a run.
        seed: likewise of this seed.
        over_time: answer window by window.
        front_end: where the weights of its pretrained encoder are, where they are not where the run had them.
        window: length of a window in seconds.
        overlap: share of a window that the next one repeats.
        batch_size: recordings that are recognised together.
        enrolment: other recordings of the voice, for a speaker-adapted network.
        progress: as for `answers`.

    Raises:
        ConfigError: an unknown form, a value out of bounds, or an enrolment for a network that is not speaker-adapted.
        AudioError: a recording of the enrolment cannot be used.
        RunFolderError: there is no such network.
    """
    check_windows(window, overlap, None)
    make = make_writer(form)
    recognizer = EmotionRecognizer.load(model, fold, seed, front_end)
    writer = make(recognizer.labels, over_time, recognizer.dimensions)
    voice = recognizer.enrol(enrolment) if enrolment else None
    yield Line(writer.head())
    windows = (window, overlap) if over_time else None
    for answer in answers(recognizer, files, batch_size, windows, progress, enrolment=voice):
        if isinstance(answer, Failure):
            yield Line("", error=str(answer.error))
        else:
            yield Line(writer.line(answer), tuple(f"{answer.file}: {note}" for note in answer.notes))
    yield Line(writer.tail())


def answers(
    recognizer: EmotionRecognizer,
    files: Sequence[str],
    batch_size: int = 1,
    windows: tuple[float, float] | None = None,
    progress: Progress = silent,
    *,
    enrolment: Enrolment | None = None,
) -> Iterator[Prediction | Moment | Failure]:
    """The answers of each file, in their order; a bad file is a `Failure` and ends nothing.

    Args:
        recognizer: what recognises.
        files: recordings.
        batch_size: recordings that are recognised together.
        windows: seconds of a window and the share of it that the next one repeats; each file is one answer where None.
        progress: called after each file, or after each group of windows.
        enrolment: other recordings of the voice of all files.
    """
    if windows is None:
        for done, answer in enumerate(recognizer.predict_many(files, batch_size=batch_size, enrolment=enrolment), 1):
            yield answer
            progress("recordings", done, len(files))
        return
    for file in files:
        try:
            yield from recognizer.predict_over_time(
                file, window=windows[0], overlap=windows[1], progress=progress, enrolment=enrolment
            )
        except AudioError as error:
            yield Failure(file, error)


def _csv_line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
