"""What an encoder costs up to a level, against its own modules."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.front_ends import load_front_end
from nni_emodarts.data.front_ends.costs import encoder_costs

pytest.importorskip("transformers")


@pytest.mark.parametrize("level", [0, 3, 6])
def test_a_level_costs_the_layers_that_it_needs(level: int, real_encoder: Path) -> None:
    stream = PretrainedStream(name="voice", model=str(real_encoder), levels=(level,))
    (found,) = encoder_costs([stream], {"voice": (level,)}, 1.0)
    front_end = load_front_end(stream)
    own = sum(parameter.numel() for parameter in front_end.encoder.parameters())
    positions = 1500 * 512  # numbers that are no parameters of the encoder as it is heard with
    assert found.parameters == pytest.approx(own + positions, rel=0.002)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        front_end.encoder(front_end.encoder.prepare(torch.zeros(1, 16000), front_end.padding))
    attention = level * 4 * 512 * 150**2  # of 3 s with the padding; torch's counter passes over it on a processor
    mel_bank = 2 * 201 * 80 * 300
    assert found.flops == pytest.approx(counter.get_total_flops() - mel_bank + attention, rel=1e-6)
    assert (found.stream, found.level) == ("voice", level)
