"""Waveform -> the levels of a pretrained encoder, as the feature store keeps them."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.front_ends.facts import FrontEndFacts, front_end_facts
from nni_emodarts.data.front_ends.hearing import find_device, load_front_end, precision_on
from nni_emodarts.runtime.plain_data import JsonObject

if TYPE_CHECKING:
    from nni_emodarts.data.front_ends.hearing import FrontEnd

FORMAT = 1
"""Raised whenever the same settings would give other numbers, so that no store mixes the two."""
LARGEST = float(np.finfo(np.float16).max)
"""Beyond it a value becomes it: levels are kept in float16."""
_WORKER_BYTES = 1.5e9
"""Memory of a process beside its encoder's weights."""


class PretrainedExtractor:
    """A pretrained encoder's levels of a waveform, one frame every hop, in rows: level by level, feature by feature.

    The encoder is loaded when it first hears something, in each process anew.

    Args:
        stream: what is heard with.
        device: where: `auto`, `cpu` or `gpu`.

    Raises:
        FrontEndError: its weights cannot be had, or lack what the stream asks for.
    """

    def __init__(self, stream: PretrainedStream, device: str = "auto") -> None:
        self.facts: FrontEndFacts = front_end_facts(stream)
        self._stream = stream.model_copy(update={"digest": self.facts.digest})
        self._device = device
        self._front_end: FrontEnd | None = None

    @property
    def sampling_rate(self) -> int:
        """Of the waveforms, in Hz."""
        return self.facts.sampling_rate

    @property
    def hop_ms(self) -> float:
        """From one frame to the next."""
        return self.facts.hop_ms

    @property
    def feature_rows(self) -> int:
        """Rows R = L x D of a map."""
        levels, features = self.facts.input_shape
        return levels * features

    @property
    def remedy(self) -> str:
        """What makes the maps smaller."""
        return f"name fewer levels of features.streams {self.facts.name}, or set a larger hop_ms (now {self.hop_ms:g})"

    @property
    def settings(self) -> JsonObject:
        """Everything that decides the numbers, as plain data: the weights by their digest, wherever they lie."""
        return {
            "format": FORMAT,
            "kind": "pretrained",
            "family": self.facts.family,
            "digest": self.facts.digest,
            "levels": list(self.facts.levels),
            "features": self.facts.features,
            "hop_ms": self.hop_ms,
            "padding": self.facts.padding,
            "precision": str(precision_on(self._device)).removeprefix("torch."),
        }

    @property
    def front_end(self) -> "FrontEnd":
        """The encoder at work, loaded when it is first asked for."""
        if self._front_end is None:
            self._front_end = load_front_end(self._stream, self._device)
        return self._front_end

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Waveform (S,) -> map (L x D, T), float16."""
        return self.many([waveform])[0]

    def many(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Waveforms (S,) -> maps (L x D, T), float16. A value beyond its range becomes its largest one."""
        maps = self.front_end(waveforms)
        return [np.clip(each, -LARGEST, LARGEST).astype(np.float16).reshape(self.feature_rows, -1) for each in maps]

    def most_workers(self, wanted: int) -> int:
        """As many processes as memory has room for; one where a GPU computes."""
        if find_device(self._device).type != "cpu":
            return 1
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(1, min(wanted, int(free / (4 * (self.facts.parameters or 1e9) + _WORKER_BYTES))))

    def __getstate__(self) -> JsonObject:
        """Without the encoder, which each process loads for itself."""
        return {**self.__dict__, "_front_end": None}
