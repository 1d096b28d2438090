"""The section that says which utterances there are, and what is learnt of them."""

import os
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from nni_emodarts.config.sections import CAME_LATER, Name, PathText, Section

Task = Literal["emotion", "dimensions", "both"]
Range = tuple[float, float]
"""Lowest and highest value."""
DIMENSIONS = ("arousal", "valence", "dominance")
"""Columns that are dimensions without being named, in this order."""
SCALE_COLUMN = "scale"
"""Column of a manifest that says the range of its dimensions."""
_TAKEN = ("file", "emotion", "speaker", "session", "gender", "text", "split", "start", "end", SCALE_COLUMN)


class DataConfig(Section):
    """Which utterances, and how they are divided."""

    manifest: PathText | None = None
    """Path of the manifest, or `synthetic` for the embedded corpus."""
    protocol: Name = "loso"
    """`loso`, `session`, `kfold:K` or `official`."""
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

    @field_validator("manifest", "cache")
    @classmethod
    def _expand(cls, path: str | None) -> str | None:
        return path and os.path.expanduser(path)  # noqa: PTH111 - pathlib's raises where there is no such user

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
