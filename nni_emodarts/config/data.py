"""The section that says which utterances there are, how they are divided, and what is learnt of them."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nni_emodarts.config.sections import CAME_LATER, Name, PathText, Section
from nni_emodarts.runtime.plain_data import JsonObject

FILE_PROTOCOL = "file:"
"""What a protocol begins with that reads its folds from a CSV file, whose path follows."""
PLACES = ("manifest", "cache", "workers")
"""Where things lie and who computes them. What a corpus and its folds hold is known by their digests."""
SYNTHETIC = "synthetic"
"""The manifest that stands for the embedded corpus."""
Task = Literal["emotion", "dimensions", "both"]
Range = tuple[float, float]
"""Lowest and highest value."""
DIMENSIONS = ("arousal", "valence", "dominance")
"""Columns that are dimensions without being named, in this order."""
SCALE_COLUMN = "scale"
"""Column of a manifest that says the range of its dimensions."""
_TAKEN = ("file", "emotion", "speaker", "session", "gender", "text", "split", "start", "end", SCALE_COLUMN)
"""Columns of a manifest that are no dimensions."""
_ANSWERS = ("fold", "seed", "predicted", "track", "corpus", "votes", "part", "error", "std", "interval")
_ANSWER_PREFIXES = ("p_", "predicted_", "share_", "vote_", "k_")
"""What tables of answers and figures call something else, and how further ones of their columns begin."""
_RANGE = re.compile(r"(?P<low>[-+]?[\d.]+)\s*(?:\.\.|to|,|\s)\s*(?P<high>[-+]?[\d.]+)")


def _several(text: str) -> list[str]:
    """The paths of a text with commas between them; of one whose name has commas, and that is there, itself."""
    return [text] if os.path.exists(text) else [each for each in text.split(",") if each.strip()]  # noqa: PTH110


def parse_scale(text: str) -> Range | None:
    """Lowest and highest value of text like `1..7`, `1 to 7`; None where it is something else."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        low, high = float(match["low"]), float(match["high"])
    except ValueError:
        return None
    return (low, high) if low < high else None


class DataConfig(Section):
    """Which utterances, and how they are divided."""

    manifest: PathText | None = None
    """Path of the manifest, or `synthetic` for the embedded corpus; several as one corpus, with commas between."""
    classes: Annotated[Literal["intersection", "union"], CAME_LATER] = "intersection"
    """Of several manifests, the emotions that all of them have, or those that any has."""
    protocol: PathText = "loso"
    """`loso`, `session`, `kfold:K`, `official`, `loco`, or `file:` and the path of a list of folds."""
    speaker_overlap: Annotated[Literal["refuse", "allow"], CAME_LATER] = "refuse"
    """Where a list of folds has speakers on both sides: refused, or its figures are marked as speaker-dependent."""
    emotions: tuple[str, ...] | None = None
    """The classes to keep, after merging; all of the manifest's where absent."""
    merge: dict[str, str] = Field(default_factory=dict)
    """Emotion of the manifest -> the emotion that it counts as."""
    cache: PathText | None = None
    """Folder of the feature store; `$EMODARTS_CACHE` or the user's cache folder where absent."""
    workers: Annotated[int, Field(ge=0, le=1024)] | None = None
    """Processes that extract features; one a core where absent."""
    bad_audio: Literal["refuse", "skip"] = "refuse"
    """Where recordings cannot be used: all are named and nothing runs, or the run goes on without them."""
    task: Annotated[Task, CAME_LATER] = "emotion"
    """What is learnt: classes, dimensions, or both by one network."""
    targets: Annotated[Annotated[tuple[Name, ...], Field(min_length=1, max_length=16)] | None, CAME_LATER] = None
    """The dimensions, columns of numbers; those of arousal, valence and dominance that there are where absent."""
    scale: Annotated[Range | None, CAME_LATER] = None
    """Lowest and highest value of the dimensions; as the manifest states it where absent, or else the range of the
    training part."""

    @field_validator("targets", mode="before")
    @classmethod
    def _split_targets(cls, given: object) -> object:
        return [each.strip() for each in given.split(",")] if isinstance(given, str) else given

    @field_validator("scale", mode="before")
    @classmethod
    def _read_scale(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        scale = parse_scale(given)
        if scale is None:
            raise PydanticCustomError(
                "no_range", "Input should be the lowest and the highest value, like 1..7 or [1, 7]"
            )
        return scale

    @field_validator("cache")
    @classmethod
    def _expand(cls, path: str | None) -> str | None:
        return path and os.path.expanduser(path)  # noqa: PTH111 - pathlib's raises where there is no such user

    @field_validator("manifest")
    @classmethod
    def _expand_each(cls, paths: str | None) -> str | None:
        return paths and ",".join(os.path.expanduser(each.strip()) for each in _several(paths))  # noqa: PTH111

    @field_validator("protocol")
    @classmethod
    def _expand_list(cls, protocol: str) -> str:
        if not protocol.startswith(FILE_PROTOCOL):
            return protocol
        return FILE_PROTOCOL + os.path.expanduser(protocol.removeprefix(FILE_PROTOCOL))  # noqa: PTH111

    @property
    def manifests(self) -> tuple[str, ...]:
        """The manifests, one or several."""
        return () if self.manifest is None else tuple(_several(self.manifest))

    @property
    def fold_list(self) -> Path | None:
        """The file that the protocol reads its folds from, where it reads them from one."""
        path = self.protocol.removeprefix(FILE_PROTOCOL)
        return Path(path) if path != self.protocol else None

    @property
    def protocol_name(self) -> str:
        """The protocol as it is shown: of a list of folds the file's name, wherever it lies."""
        return self.protocol if self.fold_list is None else f"{FILE_PROTOCOL}{self.fold_list.name}"

    def located(self) -> Self:
        """The section with absolute paths of its manifests, its cache and its list of folds."""
        paths = [each if each == SYNTHETIC else str(Path(each).absolute()) for each in self.manifests]
        folds = self.fold_list
        changed = {
            "manifest": ",".join(paths) or None,
            "cache": self.cache and str(Path(self.cache).absolute()),
            "protocol": self.protocol if folds is None else f"{FILE_PROTOCOL}{folds.absolute()}",
        }
        return self.model_copy(update=changed)

    def decisive(self) -> JsonObject:
        """What of the section may decide figures, besides the digests of the corpus and of its folds: no paths."""
        data = self.meaning()
        for key in PLACES:
            del data[key]
        return data if self.fold_list is None else {**data, "protocol": FILE_PROTOCOL}

    @model_validator(mode="after")
    def _check_dimensions(self) -> Self:
        if self.task == "emotion" and (given := next((n for n in ("targets", "scale") if getattr(self, n)), None)):
            raise ValueError(
                f"{given}: is of dimensions, which task emotion does not learn; set task to dimensions or both"
            )
        names = self.targets or ()
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"targets: {twice[0]!r} is named twice")
        if taken := [name for name in names if name in _TAKEN]:
            raise ValueError(f"targets: {taken[0]!r} is no column of numbers to learn; name another")
        if clash := [name for name in names if name in _ANSWERS or name.startswith(_ANSWER_PREFIXES)]:
            raise ValueError(
                f"targets: {clash[0]!r} is what tables of answers or figures call something else; give the column "
                f"another name in the manifest, none of {', '.join(_ANSWERS)} and none that begins with "
                f"{', '.join(_ANSWER_PREFIXES)}"
            )
        if self.scale is not None and self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: {list(self.scale)} is no range; name the lowest value first, like [1, 7]")
        return self

    @property
    def learns_classes(self) -> bool:
        """Whether networks tell classes apart."""
        return self.task != "dimensions"

    @property
    def learns_dimensions(self) -> bool:
        """Whether networks tell where an utterance lies in dimensions."""
        return self.task != "emotion"
