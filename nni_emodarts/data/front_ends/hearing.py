"""A front end at work: recordings of any length -> levels, alone or in batches with the same result."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.front_ends.encoders.encoder import Encoder, average_frames
from nni_emodarts.data.front_ends.facts import FRAME, SAMPLING_RATE, FrontEndFacts, facts_of
from nni_emodarts.data.front_ends.fetching import have_source
from nni_emodarts.errors import FrontEndError

OVERLAP_SECONDS = 4.0
"""That two windows of a long recording share; each gives the half that it hears the more around of."""
_BATCH_SECONDS = {"cpu": 0.0, "gpu": 120.0}
"""Audio that is heard at once: a processor core is busy with one recording, a GPU is not."""


class FrontEnd:
    """A pretrained encoder as a stream hears with it.

    Args:
        encoder: the encoder, with its weights.
        facts: what the stream asks of it.
        longest: seconds that it hears at once.
        device: where it computes.
    """

    def __init__(self, encoder: Encoder, facts: FrontEndFacts, longest: float, device: torch.device) -> None:
        self.facts = facts
        self.encoder = encoder
        self.padding = round(facts.padding * SAMPLING_RATE)
        self._window = round(longest * SAMPLING_RATE) // FRAME * FRAME - self.padding
        self._device = device
        self._dtype = precision(device)
        self._batch = _BATCH_SECONDS["cpu" if device.type == "cpu" else "gpu"] * SAMPLING_RATE
        encoder.to(device)

    @property
    def longest_seconds(self) -> float:
        """That are heard at once; a longer recording is heard in windows."""
        return self._window / SAMPLING_RATE

    @torch.inference_mode()
    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Waveforms (S,) at 16 kHz -> levels (L, D, T) of each, float32."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        maps: dict[int, Tensor] = {}
        for number, waveform in enumerate(waveforms):
            samples = len(waveform)
            if samples > self._window:
                maps[number] = self._in_windows(waveform)
            else:
                groups[self._heard_samples(samples)].append(number)
        for numbers in groups.values():
            for batch in self._batches(numbers, waveforms):
                levels = self._hear([waveforms[number] for number in batch])
                maps.update(zip(batch, levels, strict=True))
        return [self._kept(maps[number]) for number in range(len(waveforms))]

    def _heard_samples(self, samples: int) -> tuple[int, int]:
        """What recordings have in common that are heard together: samples or frames, so that none pads another."""
        return (samples, 0) if self.encoder.together == 1 else (0, int(self.encoder.frames(samples)))

    def _batches(self, numbers: list[int], waveforms: Sequence[np.ndarray]) -> Iterator[list[int]]:
        each = len(waveforms[numbers[0]]) + self.padding
        size = max(1, int(self._batch // each))
        for first in range(0, len(numbers), size):
            yield numbers[first : first + size]

    def _hear(self, waveforms: Sequence[np.ndarray]) -> list[Tensor]:
        """Recordings that are heard together -> own frames (L, T, D) of each."""
        prepared = [
            self.encoder.prepare(torch.from_numpy(np.ascontiguousarray(each, np.float32))[None], self.padding)
            for each in waveforms
        ]
        heard = torch.cat(prepared).to(self._device)
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            levels = self.encoder(heard)
        return [level[:, : self.encoder.frames(len(each))] for level, each in zip(levels, waveforms, strict=True)]

    def _in_windows(self, waveform: np.ndarray) -> Tensor:
        """A long recording -> frames (L, T, D), joined in the middle of where windows overlap."""
        pieces, begun = [], 0
        overlap = round(min(OVERLAP_SECONDS * SAMPLING_RATE, self._window / 2)) // FRAME * FRAME
        step = self._window - overlap
        starts = [*range(0, len(waveform) - self._window, step)]
        starts.append(-(-(len(waveform) - self._window) // FRAME) * FRAME)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            (levels,) = self._hear([waveform[start : start + self._window]])
            first = start // FRAME
            last = None if following is None else (following + start + self._window) // 2 // FRAME
            pieces.append(levels[:, begun - first : None if last is None else last - first])
            begun = last or 0
        return torch.cat(pieces, 1)

    def _kept(self, levels: Tensor) -> np.ndarray:
        """Frames (L, T, D) -> means of those that become one (L, D, T')."""
        averaged = average_frames(levels[None].float(), self.facts.frames_averaged)[0]
        return np.ascontiguousarray(averaged.transpose(1, 2).cpu().numpy())


def precision(device: torch.device) -> torch.dtype:
    """What numbers an encoder computes in: bf16 on a GPU."""
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def precision_on(name: str) -> torch.dtype:
    """What numbers an encoder computes in on `auto`, `cpu` or `gpu`; of the latter where there is no GPU, too."""
    return torch.bfloat16 if name == "gpu" else precision(find_device(name))


def find_device(name: str) -> torch.device:
    """Where an encoder computes, by `auto`, `cpu` or `gpu`; the processor where there is no GPU."""
    accelerator = (
        torch.accelerator.current_accelerator() if name != "cpu" and torch.accelerator.is_available() else None
    )
    return torch.device("cpu") if accelerator is None else torch.device(accelerator.type, 0)


def load_front_end(stream: PretrainedStream, device: str = "cpu") -> FrontEnd:
    """The front end of a stream, with its weights.

    Args:
        stream: what is heard with.
        device: `auto`, `cpu` or `gpu`.

    Raises:
        FrontEndError: its weights cannot be had or read, or lack what the stream asks for; or `gpu`, and there is none.
    """
    if device == "gpu" and find_device(device).type == "cpu":  # whose numbers would lie among those of a GPU
        raise FrontEndError("device: gpu is asked for, but torch finds none; set device to auto or cpu")
    source = have_source(stream)
    facts = facts_of(stream, source)
    encoder = source.family.build(source, facts.levels)
    return FrontEnd(encoder, facts, source.family.longest, find_device(device))
