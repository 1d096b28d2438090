"""Random changes of training utterances: what is masked, and how another voice differs."""

from typing import Annotated

from pydantic import Field

from nni_emodarts.config.sections import CAME_LATER, Fraction, NonNegativeFloat, Section

Masks = Annotated[int, Field(ge=0, le=1000)]


class SpecAugmentConfig(Section):
    """Masked stretches of time and frequency (Park et al. 2019), as shares of an utterance's length and of the bins."""

    time_masks: Masks = 2
    time_share: Fraction = 0.1
    frequency_masks: Masks = 2
    frequency_share: Fraction = 0.15


class PerturbationConfig(Section):
    """Random changes of the voice, made of the features of each training utterance each time it is heard."""

    tempo: Fraction = 0.0
    """Largest change of its speed, as a share: 0.15 makes it last from 1 / 1.15 to 1.15 times as long."""
    level: Annotated[NonNegativeFloat, CAME_LATER] = 0.0
    """Largest change of its loudness, in deviations of the features: 0.5 is 9 dB of EMO-DB's log-mel features."""
    pitch: Fraction = 0.0
    """Largest shift along the frequency axis, as a share of the bins: pitch and formants rise or fall together."""
    noise: NonNegativeFloat = 0.0
    """Largest deviation of the noise that is added, in deviations of the features."""
