"""How emotions change a voice, for the synthetic corpus, and where a way of speaking lies in three dimensions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Manner:
    """How an utterance is said, relative to its speaker's habit. Pitch in semitones, level in dB, time in seconds."""

    pitch: float
    """Mean pitch."""
    accent: float
    """Rise (or, negative, fall) of pitch within a vowel."""
    span: float
    """Standard deviation of the syllables' pitch targets."""
    drift: float
    """Change of pitch over the utterance; negative is declination."""
    tremor: float
    """Depth of a slow quaver of the pitch."""
    jitter: float
    """Standard deviation of the pitch's fast irregularity."""
    level: float
    """Mean level."""
    peak: float
    """Where in a vowel its energy is largest, 0 to 1: a small value is a hard attack, a large one a swell."""
    depth: float
    """How far a vowel's energy falls away from its peak."""
    stress: float
    """Standard deviation of the syllables' levels."""
    fade: float
    """Change of level over the utterance."""
    rate: float
    """Natural logarithm of the ratio to the speaker's rate of syllables."""
    pausing: float
    """Chance of a pause after a word."""
    pause: float
    """Length of a pause."""
    open_quotient: float
    """Share of a glottal cycle that is open, added to the speaker's: low is pressed, high is lax."""
    tilt: float
    """Loss of the voice source at 3 kHz, added to the speaker's."""
    breath: float
    """Level of aspiration, added to the speaker's."""
    shimmer: float
    """Standard deviation of the level from one glottal cycle to the next."""


EMOTIONS = {
    "anger": Manner(
        pitch=1.5, accent=-5.0, span=2.0, drift=-2.0, tremor=0.0, jitter=0.25,
        level=1.5, peak=0.1, depth=15.0, stress=2.5, fade=0.0, rate=0.15, pausing=0.1, pause=0.1,
        open_quotient=-0.05, tilt=-1.0, breath=-2.0, shimmer=1.0,
    ),
    "happiness": Manner(
        pitch=2.0, accent=5.0, span=2.5, drift=1.0, tremor=0.0, jitter=0.12,
        level=1.0, peak=0.7, depth=13.0, stress=2.0, fade=0.0, rate=0.1, pausing=0.1, pause=0.1,
        open_quotient=0.0, tilt=-0.5, breath=0.0, shimmer=0.5,
    ),
    "neutral": Manner(
        pitch=0.0, accent=0.0, span=0.7, drift=-2.0, tremor=0.0, jitter=0.08,
        level=0.0, peak=0.4, depth=8.0, stress=1.0, fade=-2.0, rate=0.0, pausing=0.15, pause=0.1,
        open_quotient=0.0, tilt=0.0, breath=0.0, shimmer=0.4,
    ),
    "sadness": Manner(
        pitch=-1.0, accent=-1.5, span=0.7, drift=-3.0, tremor=0.8, jitter=0.18,
        level=-1.5, peak=0.3, depth=8.0, stress=1.0, fade=-8.0, rate=-0.18, pausing=0.4, pause=0.16,
        open_quotient=0.05, tilt=1.0, breath=2.0, shimmer=0.8,
    ),
}  # fmt: skip
"""The manner of each emotion."""

SPREAD = Manner(
    pitch=1.2, accent=1.6, span=0.3, drift=1.0, tremor=0.25, jitter=0.04,
    level=3.0, peak=0.12, depth=3.0, stress=0.4, fade=2.5, rate=0.08, pausing=0.1, pause=0.03,
    open_quotient=0.05, tilt=2.0, breath=3.0, shimmer=0.2,
)  # fmt: skip
"""Standard deviation of a manner from one utterance to the next."""

SCALE = (1.0, 7.0)
"""Lowest and highest value of a dimension."""


@dataclass(frozen=True)
class Dimension:
    """How a manner is rated, as a listener might who hears nothing but the manner.

    Attributes:
        neutral: the rating of neutral speech.
        weights: what the rating gains with each unit of a manner, from neutral speech.
    """

    neutral: float
    weights: Mapping[str, float]

    def rate(self, manner: Manner) -> float:
        """The rating on `SCALE`, to two digits."""
        given, usual = asdict(manner), asdict(EMOTIONS["neutral"])
        moved = sum(weight * (given[name] - usual[name]) for name, weight in self.weights.items())
        rated: float = min(max(self.neutral + moved, SCALE[0]), SCALE[1])
        return round(rated, 2)


RATED = {
    "arousal": Dimension(
        3.5, {"pitch": 0.4, "span": 0.4, "stress": 0.3, "depth": 0.06, "rate": 3.0, "pausing": -0.8, "fade": 0.04}
    ),
    "valence": Dimension(
        4.2, {"accent": 0.18, "peak": 2.1, "drift": 0.14, "tremor": -0.7, "jitter": -2.8, "shimmer": -0.35}
    ),
    "dominance": Dimension(
        4.0,
        {
            "depth": 0.09, "peak": -1.8, "open_quotient": -7.0, "level": 0.09, "tremor": -0.9, "breath": -0.09,
            "fade": 0.09, "rate": 1.8,
        },
    ),
}  # fmt: skip
"""The dimensions of the corpus. Which way they go follows Scherer (2003): what is fast, high and lively is aroused,
what rises and swells is pleasant, what is hard, pressed and steady is dominant. How far is a choice of this module."""
