"""Tracks: what figures may be compared with. Those of two tracks stand in different tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

if TYPE_CHECKING:
    import pandas as pd

SCRATCH, PRETRAINED = "scratch", "pretrained"
TRACK_KEYS = ("track", "speaker_adapted")
"""Entries of every file that holds a figure."""


@dataclass(frozen=True)
class Track:
    """What figures may be compared with.

    Attributes:
        track: `scratch`, or `pretrained` where an encoder was trained on other recordings.
        speaker_adapted: whether unlabelled recordings of the test speakers were used.
    """

    track: str = SCRATCH
    speaker_adapted: bool = False

    @classmethod
    def of(cls, figures: JsonMapping) -> "Track":
        """The track that figures state; those of earlier versions, which state none, are from scratch."""
        return cls(str(figures.get("track", SCRATCH)), bool(figures.get("speaker_adapted", False)))

    def __str__(self) -> str:
        """In words, such as `pretrained, speaker-adapted`."""
        return f"{self.track}, speaker-adapted" if self.speaker_adapted else self.track

    def to_dict(self) -> JsonObject:
        """The entries of a file that holds such figures."""
        return {"track": self.track, "speaker_adapted": self.speaker_adapted}


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
