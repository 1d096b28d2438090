"""Whisper base, where it is at hand: its levels, its facts, and what it costs to hear with it."""

from pathlib import Path

import numpy as np
import torch

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.front_ends import front_end_facts, load_front_end

RATE = 16_000


def test_its_levels_are_those_of_its_own_code(real_encoder: Path) -> None:
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    generator = np.random.default_rng(0)
    time = np.arange(round(2.3 * RATE)) / RATE
    waveform = np.asarray(
        0.1 * np.sin(900 * time) * np.sin(9 * time) + 0.01 * generator.standard_normal(len(time)), "f4"
    )
    model = WhisperEncoder.from_pretrained(real_encoder, dtype=torch.float32).eval()
    given = WhisperFeatureExtractor.from_pretrained(real_encoder)(waveform, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        answer = model(**given, output_hidden_states=True)
    expected = torch.stack(answer.hidden_states)[:, 0].transpose(1, 2).numpy()[..., :115]
    stream = PretrainedStream(name="speech", model=str(real_encoder), hop_ms=20, padding=27.7)
    (found,) = load_front_end(stream)([waveform])
    assert found.shape == expected.shape == (7, 512, 115)
    for level in range(7):
        error = np.square(found[level] - expected[level]).mean() ** 0.5
        assert error <= 1e-4 * expected[level].std()


def test_its_facts(real_encoder: Path) -> None:
    facts = front_end_facts(PretrainedStream(name="speech", model=str(real_encoder)))
    assert (facts.family, facts.levels, facts.features, facts.padding) == ("whisper", tuple(range(7)), 512, 2.0)
    assert facts.parameters == 20_590_592
    assert facts.frames_averaged == 4
