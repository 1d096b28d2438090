"""From waveform to probabilities as one module that can be exported, whatever its features are."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from nni_emodarts.data.features.normalization import Normalizer
from nni_emodarts.data.outputs import Outputs
from nni_emodarts.models.nn.answers import answer


class WholeNetwork(nn.Module):
    """Feature rows, normalisation, network and softmax.

    Args:
        normalizer: of the network's training speakers.
        model: maps, lengths (N,) -> outputs (N, K + D).
        outputs: what they mean; logits of classes where absent.
    """

    def __init__(self, normalizer: Normalizer, model: nn.Module, outputs: Outputs | None = None) -> None:
        super().__init__()
        self.meaning = outputs
        self.network = model
        self.register_buffer("mean", torch.from_numpy(normalizer.mean).float()[:, None])
        self.register_buffer("scale", torch.from_numpy(1 / normalizer.std).float()[:, None])
        self.mean: Tensor
        self.scale: Tensor

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """waveform (N, S) -> feature rows (N, R, T), not normalised yet."""

    @abstractmethod
    def maps(self, rows: Tensor) -> Tensor:
        """Normalised feature rows (N, R, T) -> maps as the network takes them."""

    def answer(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Normalised feature rows (N, R, T) -> probabilities (N, K), values (N, D) of dimensions, or both."""
        return answer(self.network(self.maps(rows), frames_of(rows)), self.meaning)

    def forward(self, waveform: Tensor) -> Tensor | tuple[Tensor, ...]:
        """waveform (N, S) at the network's sampling rate -> as `answer`, by itself where it is one."""
        return _alone(self.answer((self.features(waveform) - self.mean) * self.scale))


class JointNetwork(nn.Module):
    """A network of several streams: feature rows of each, normalisation, network and softmax.

    Args:
        streams: the features of each stream, with the normalisation of its rows; their own networks are not used.
        model: maps of each stream, lengths (N, streams) -> outputs (N, K + D).
        outputs: what they mean; logits of classes where absent.
    """

    def __init__(self, streams: Sequence[WholeNetwork], model: nn.Module, outputs: Outputs | None = None) -> None:
        super().__init__()
        self.meaning = outputs
        self.streams = nn.ModuleList(streams)
        self.network = model

    def features(self, waveform: Tensor) -> list[Tensor]:
        """waveform (N, S) -> feature rows (N, R, T) of each stream, not normalised yet."""
        return [stream.features(waveform) for stream in self._streams]

    def answer(self, rows: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Normalised feature rows of each stream -> as `WholeNetwork.answer`."""
        maps = tuple(stream.maps(own) for stream, own in zip(self._streams, rows, strict=True))
        lengths = torch.stack([frames_of(own) for own in rows], 1)
        return answer(self.network(maps, lengths), self.meaning)

    def forward(self, waveform: Tensor) -> Tensor | tuple[Tensor, ...]:
        """waveform (N, S) at the network's sampling rate -> as `WholeNetwork.forward`."""
        heard = zip(self._streams, self.features(waveform), strict=True)
        return _alone(self.answer([(rows - stream.mean) * stream.scale for stream, rows in heard]))

    @property
    def _streams(self) -> list[WholeNetwork]:
        return cast(list[WholeNetwork], list(self.streams))


class AdaptedJointNetwork(nn.Module):
    """A network of several streams that is normalised by speaker; rows of the streams lie one after another.

    Args:
        whole: the network with its features.
    """

    def __init__(self, whole: JointNetwork) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, waveform: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, ...]:
        """As `AdaptedNetwork`, but numbers of frames are (N, R), since those of streams differ."""
        features = self.whole.features(waveform)
        sizes = [rows.shape[1] for rows in features]
        normalised, means, squares, frames = [], [], [], []
        for rows, own, spread in zip(features, mean.split(sizes, 1), deviation.split(sizes, 1), strict=True):
            average = rows.mean(2, keepdim=True)
            normalised.append((rows - own[:, :, None]) / spread[:, :, None])
            means.append(average[:, :, 0])
            squares.append((rows - average).square().sum(2))
            frames.append(torch.ones_like(rows, dtype=torch.int64).sum(2))
        return *self.whole.answer(normalised), torch.cat(means, 1), torch.cat(squares, 1), torch.cat(frames, 1)


class AdaptedNetwork(nn.Module):
    """A network that is normalised by speaker: mean and deviation are given, and statistics come back.

    Args:
        whole: the network with its features.
    """

    def __init__(self, whole: WholeNetwork) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, waveform: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, ...]:
        """waveform (N, S), mean and deviation (N, R) or (1, R) -> answers, and statistics of the features.

        Those are means (N, R), sums of squared deviations (N, R) and numbers of frames (N,), before normalisation.
        """
        rows = self.whole.features(waveform)
        means = rows.mean(2, keepdim=True)
        answers = self.whole.answer((rows - mean[:, :, None]) / deviation[:, :, None])
        return *answers, means[:, :, 0], (rows - means).square().sum(2), frames_of(rows)


def _alone(answers: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    return answers[0] if len(answers) == 1 else answers


def frames_of(rows: Tensor) -> Tensor:
    """Feature rows (N, R, T) -> T of each (N,), every frame being real."""
    # Counted rather than read off the shape, so that no traced length is frozen.
    return torch.ones_like(rows[:, 0], dtype=torch.int64).sum(1)
