"""What a network hears: one stream, or of several those that are chosen, each through a path of its own."""

from collections.abc import Collection, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from nni_emodarts.config import InputShape, SpaceConfig, of_stream
from nni_emodarts.data.batches import Maps
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import STREAM, layer_choices
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.resampling import StreamSum, in_one_time
from nni_emodarts.models.space.paths import Heard, HearsStream, StreamPath, layer_choice
from nni_emodarts.nni_bridge.nas import Categorical, current_model


class HearsStreams(HearsStream):
    """What hears one stream or several; a base class.

    A network that hears one of several streams has the layers of one that there is alone. Of more than one, each has a
    path, whose cells have the choices of their kind in common and weights of their own; their sequences are brought to
    the time of the coarsest, and the chosen ones summed.
    """

    def build_streams(self, space: SpaceConfig, input_shape: InputShape, num_classes: int) -> None:
        """Build the layers.

        Args:
            space: what is heard, and what cells are like.
            input_shape: of the maps of the streams that are heard.
            num_classes: number of classes K.
        """
        streams = {stream.name: stream for stream in space.hears}
        options = layer_choices(space).get(STREAM, ())
        arch = current_model()
        if options and arch is not None:
            chosen = str(Categorical(list(options), label=STREAM).freeze(arch)).split("+")
            streams = {name: streams[name] for name in chosen}
        if len(streams) < 2:
            stream = next(iter(streams.values()), None)
            self.build_path(space, stream, of_stream(input_shape, "" if stream is None else stream.name), num_classes)
            return
        self.heard = tuple(streams)
        self.paths = nn.ModuleList(
            StreamPath(space, stream, of_stream(input_shape, name), num_classes) for name, stream in streams.items()
        )
        try:
            self.stream = layer_choice(options, self._sum, STREAM)
        except (AssertionError, KeyError) as error:  # torch and NNI keep candidates as attributes
            reason = str(error.args[0] if error.args else error)
            raise ConfigError(f"features.streams: a name is taken ({reason}); call that stream otherwise") from None

    def _sum(self, option: str) -> StreamSum:
        return StreamSum([self.heard.index(name) for name in option.split("+")])

    def hear(self, maps: Maps, lengths: Tensor, dropout: Dropout) -> Heard:
        """What is heard -> what becomes of it.

        Args:
            maps: of the one stream that is heard; of several those of each, in their order.
            lengths: (N,) in frames; (N, streams) of several.
            dropout: between cells.
        """
        if isinstance(maps, Tensor):
            return self.hear_path(maps, lengths, dropout)
        taken = self._taken()
        paths = [cast(StreamPath, module) for module in self.paths]
        each = list(zip(self.heard, paths, maps, lengths.unbind(1), strict=True))
        found = [path.hear_path(own, length, dropout) if name in taken else None for name, path, own, length in each]
        left = [path.frames_left(length) for _, path, _, length in each]
        together, shortest = in_one_time([None if heard is None else heard.sequence for heard in found], left)
        return Heard(self.stream(together, shortest), shortest, self._shortcuts(found))

    def _shortcuts(self, found: Sequence[Heard | None]) -> Tensor | None:
        """The sum (N, K) of the outputs of the shortcuts, where there are any."""
        outputs = [heard.shortcut for heard in found if heard is not None and heard.shortcut is not None]
        return torch.stack(outputs).sum(0) if outputs else None

    def _taken(self) -> Collection[str]:
        """Names of the streams to compute: in a supernet of sampled paths those of its path, and of its rival."""
        options: Collection[str] = getattr(self.stream, "taken", self.heard)
        return {name for option in options for name in option.split("+")}
