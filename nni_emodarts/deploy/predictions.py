"""What recordings and their windows were recognised as."""

from dataclasses import dataclass, field

from nni_emodarts.errors import AudioError


@dataclass(frozen=True)
class Prediction:
    """What a recording was recognised as.

    Attributes:
        file: the recording; `array`, `bytes` or `file` where it has no name.
        emotion: the most probable class; None of a network that tells no classes apart.
        probabilities: of each class.
        notes: what may mislead, such as clipping.
        dimensions: the value in each dimension, on its scale.
    """

    file: str
    emotion: str | None
    probabilities: dict[str, float]
    notes: tuple[str, ...] = ()
    dimensions: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """What a window of a recording was recognised as.

    Attributes:
        file: the recording; `array`, `bytes` or `file` where it has no name.
        start: where the window begins, in seconds.
        end: where it ends, in seconds.
        emotion: the most probable class; None where the window is silent, or no classes are told apart.
        probabilities: of each class; empty where the window is silent.
        notes: of the whole recording, with its first window.
        dimensions: the value in each dimension, on its scale; empty where the window is silent.
    """

    file: str
    start: float
    end: float
    emotion: str | None
    probabilities: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    dimensions: dict[str, float] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """Whether the window was not recognised."""
        return not self.probabilities and not self.dimensions


@dataclass(frozen=True)
class Failure:
    """A recording that could not be recognised.

    Attributes:
        file: the recording.
        error: why, with the remedy.
    """

    file: str
    error: AudioError
