"""What tests of searches on the levels of a made-up encoder share."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.front_ends.costs import EncoderCost


@pytest.fixture(scope="module")
def known_encoder() -> Iterator[None]:
    """What the encoder costs up to each level, though its model is not on this machine."""

    def costs(
        streams: Sequence[PretrainedStream], levels: Mapping[str, Sequence[int]], seconds: float
    ) -> list[EncoderCost]:
        return [EncoderCost(name, max(own), 10 * max(own), 100 * max(own)) for name, own in levels.items()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nni_emodarts.models.costs.encoders.encoder_costs", costs)
        yield
