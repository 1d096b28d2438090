"""What a pretrained encoder costs up to a level: a network that hears it needs no layer behind.

An encoder is convolutions in front and layers that are alike, each of 12 D^2 + 13 D parameters: attention 4 D^2, a
feed-forward of 4 D inside 8 D^2, and biases and normalisations. What a model has beyond its layers counts as its front.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.front_ends.facts import FRAME, SAMPLING_RATE, FrontEndFacts, facts_of
from nni_emodarts.data.front_ends.sources import find_source

_FRONTS = {"whisper": ((80, 3, 160), (0, 3, 320))}
"""Convolutions of a front: channels that each hears (0: those of a level), width, samples between two frames."""
_WAVEFORM = ((1, 10, 5), *((512, 3, 5 * 2**power) for power in range(1, 5)), (512, 2, 160), (512, 2, 320))
"""Those of the wav2vec 2.0 kind (Baevski et al. 2020), of 512 channels each."""


@dataclass(frozen=True)
class EncoderCost:
    """What an encoder costs up to a level.

    Attributes:
        stream: name of its stream.
        level: the level.
        parameters: of its front and its layers up to there; None where the model does not say how many it has.
        flops: of one utterance; a multiply-add counts as 2.
    """

    stream: str
    level: int
    parameters: int | None
    flops: int


def encoder_costs(
    streams: Sequence[PretrainedStream], levels: Mapping[str, Sequence[int]], seconds: float
) -> tuple[EncoderCost, ...]:
    """What the encoders cost that a network hears, each up to its last level; nothing is fetched.

    Args:
        streams: the streams.
        levels: levels by stream, as an architecture has them.
        seconds: length of the utterance, to which the stream's padding comes.

    Returns:
        Those of which the model is on this machine.
    """
    found = []
    for stream in streams:
        source = find_source(stream) if stream.name in levels else None
        if source is not None:
            found.append(cost_of(facts_of(stream, source), max(levels[stream.name]), seconds))
    return tuple(found)


def cost_of(facts: FrontEndFacts, level: int, seconds: float) -> EncoderCost:
    """The same of a front end that is known."""
    heard = (seconds + facts.padding) * SAMPLING_RATE
    frames, width = -(-int(heard) // FRAME), facts.features
    layer = 12 * width**2 * frames + 2 * width * frames**2  # products of weights; scores, and their weighted sum
    whole = facts.parameters
    parameters = None if whole is None else whole - (facts.depth - level) * (12 * width + 13) * width
    return EncoderCost(facts.name, level, parameters, 2 * (level * layer + _front(facts, heard)))


def _front(facts: FrontEndFacts, samples: float) -> int:
    """Multiply-adds of the convolutions in front."""
    own = facts.family in _FRONTS
    out = facts.features if own else 512
    convolutions = _FRONTS.get(facts.family, _WAVEFORM)
    total = sum((channels or out) * width * out * int(samples / step) for channels, width, step in convolutions)
    return total if own else total + 512 * facts.features * int(samples / FRAME)
