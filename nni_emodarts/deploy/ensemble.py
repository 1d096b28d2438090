"""The networks of an ensemble as one: recordings are heard once, and answers averaged."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.batches import Maps
from nni_emodarts.deploy.folder import AnyStream, NetworkFolder


class Averaged(nn.Module):
    """Networks that hear parts of the same maps and answer together.

    Args:
        models: maps, lengths (N,) -> outputs (N, K + D), each.
        shares: what each counts for, one in sum.
        classes: how many of the outputs are logits of classes, K; those behind are places in dimensions.
        parts: of each model, its streams by their place among those of all, and the places of its levels in them; no
            places of a spectral stream.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        shares: Sequence[float],
        classes: int,
        parts: Sequence[Sequence[tuple[int, Sequence[int]]]],
    ) -> None:
        super().__init__()
        self._classes = classes
        self.models = nn.ModuleList(models)
        self.register_buffer("shares", torch.tensor(list(shares), dtype=torch.float32))
        self.shares: Tensor
        self._parts = parts

    def forward(self, maps: Maps, lengths: Tensor) -> Tensor:
        """Maps of all streams, lengths -> outputs (N, K + D).

        Softmax of the logits is the mean of the members' probabilities; places are the mean of theirs.
        """
        outputs = torch.stack(
            [model(*_heard(maps, lengths, part)).float() for model, part in zip(self.models, self._parts, strict=True)]
        )
        told, places = outputs[..., : self._classes], outputs[..., self._classes :]
        parts = []
        if told.shape[2]:
            mean = self._mean(torch.softmax(told, 2))
            parts.append(mean.clamp(min=torch.finfo(mean.dtype).tiny).log())
        if places.shape[2]:
            parts.append(self._mean(places.clamp(-1, 1)))
        return torch.cat(parts, 1)

    def _mean(self, answers: Tensor) -> Tensor:
        """(M, N, any) -> (N, any)."""
        return torch.einsum("m,mnk->nk", self.shares, answers)


def _heard(maps: Maps, lengths: Tensor, part: Sequence[tuple[int, Sequence[int]]]) -> tuple[Maps, Tensor]:
    """What one of the models takes of the maps and lengths."""
    every = (maps,) if isinstance(maps, Tensor) else tuple(maps)
    own = tuple(_levels(every[stream], places) for stream, places in part)
    if len(own) > 1:
        return own, lengths[:, [stream for stream, _ in part]]
    return own[0], lengths if lengths.dim() == 1 else lengths[:, part[0][0]]


def _levels(maps: Tensor, places: Sequence[int]) -> Tensor:
    """Some of the levels (N, L, D, T), which lie one after another in a graph of levels."""
    if not places or len(places) == maps.shape[1]:
        return maps
    return torch.cat([maps[:, place : place + 1] for place in places], 1)


def parts_of(member: NetworkFolder, streams: Sequence[AnyStream]) -> list[tuple[int, Sequence[int]]]:
    """What a member hears of the streams of its ensemble, as `Averaged` takes it."""
    names = [stream.name for stream in streams]
    found: list[tuple[int, Sequence[int]]] = []
    for stream in member.streams:
        place = names.index(stream.name)
        whole = streams[place]
        levels = stream.levels if isinstance(stream, PretrainedStream) else None
        if levels is None or not isinstance(whole, PretrainedStream) or whole.levels is None:
            found.append((place, ()))
        else:
            found.append((place, [whole.levels.index(level) for level in levels]))
    if member.config.features.functionals is not None:
        found.append((len(streams), ()))  # they come last
    return found
