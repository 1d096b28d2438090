"""The networks of an ensemble as one: recordings are heard once, and probabilities averaged."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.batches import Maps
from nni_emodarts.deploy.folder import AnyStream, NetworkFolder


class Averaged(nn.Module):
    """Networks that hear parts of the same maps and answer together.

    Args:
        models: maps, lengths (N,) -> logits (N, K), each.
        shares: what each counts for, one in sum.
        parts: of each model, its streams by their place among those of all, and the places of its levels in them; no
            places of a spectral stream.
    """

    def __init__(
        self, models: Sequence[nn.Module], shares: Sequence[float], parts: Sequence[Sequence[tuple[int, Sequence[int]]]]
    ) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.register_buffer("shares", torch.tensor(list(shares), dtype=torch.float32))
        self.shares: Tensor
        self._parts = parts

    def forward(self, maps: Maps, lengths: Tensor) -> Tensor:
        """Maps of all streams, lengths -> logits (N, K), whose softmax is the mean of the members' probabilities."""
        answers = [
            torch.softmax(model(*_heard(maps, lengths, part)).float(), 1)
            for model, part in zip(self.models, self._parts, strict=True)
        ]
        mean = torch.einsum("m,mnk->nk", self.shares, torch.stack(answers))
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()


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
