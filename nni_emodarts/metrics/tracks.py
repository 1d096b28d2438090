"""Tracks: what figures may be compared with. Those of two tracks stand in different tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

if TYPE_CHECKING:
    import pandas as pd

SCRATCH, PRETRAINED = "scratch", "pretrained"
TRACK_KEYS = ("track", "speaker_adapted", "speaker_dependent", "task")
"""Entries of every file that holds a figure."""


@dataclass(frozen=True)
class Track:
    """What figures may be compared with.

    Attributes:
        track: `scratch`, or `pretrained` where an encoder was trained on other recordings.
        speaker_adapted: whether unlabelled recordings of the test speakers were used.
        speaker_dependent: whether test speakers were learnt from, too, as the folds of some published lists have it.
        task: `emotion`, `dimensions` or `both`: what was learnt, by which the figures differ.
    """

    track: str = SCRATCH
    speaker_adapted: bool = False
    speaker_dependent: bool = False
    task: str = "emotion"

    @classmethod
    def of(cls, figures: JsonMapping) -> "Track":
        """The track that figures state; those of earlier versions, which state none, are from scratch."""
        adapted, dependent = (bool(figures.get(key, False)) for key in TRACK_KEYS[1:3])
        return cls(str(figures.get("track", SCRATCH)), adapted, dependent, str(figures.get("task", "emotion")))

    def __str__(self) -> str:
        """In words, such as `pretrained, speaker-adapted`."""
        marks = {
            "speaker-adapted": self.speaker_adapted,
            "speaker-dependent": self.speaker_dependent,
            "dimensions": self.task == "dimensions",
            "emotions and dimensions": self.task == "both",
        }
        return ", ".join([self.track, *(mark for mark, is_so in marks.items() if is_so)])

    def to_dict(self) -> JsonObject:
        """The entries of a file that holds such figures."""
        dependent = {"speaker_dependent": True} if self.speaker_dependent else {}
        task = {"task": self.task} if self.task != "emotion" else {}
        return {"track": self.track, "speaker_adapted": self.speaker_adapted, **dependent, **task}


def marked(table: "pd.DataFrame", figures: JsonMapping) -> "pd.DataFrame":
    """A table of figures with a column `track`, where they are of another one than from scratch.

    Args:
        table: the figures.
        figures: what states their track.
    """
    track = Track.of(figures)
    return table if track == Track() else table.assign(track=str(track))


def tracks_of(figures: Iterable[JsonMapping]) -> JsonObject:
    """The track of several files' figures together.

    Raises:
        ValueError: they are of two.
    """
    return one_track({str(number): Track.of(each) for number, each in enumerate(figures)}).to_dict()


def one_track(named: Mapping[str, Track]) -> Track:
    """The one track of what is to be compared.

    Args:
        named: what is to be compared, by name.

    Raises:
        ValueError: it is of two tracks; the message names one of each.
    """
    found: dict[Track, str] = {}
    for name, track in named.items():
        found.setdefault(track, name)
    if len(found) > 1:
        (first, one), (second, other) = list(found.items())[:2]
        raise ValueError(f"{one} ({first}) and {other} ({second}) are of two tracks, which are never compared")
    return next(iter(found), Track())
