"""How emotions change a voice, for the synthetic corpus."""

from dataclasses import dataclass


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
