"""The path of a stream, from its maps to a sequence that SeqNN cells hear."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, cast

from torch import Tensor, nn

from nni_emodarts.config import HeardStream, Shape, SpaceConfig
from nni_emodarts.models.architecture import layer_choices
from nni_emodarts.models.levels import level_label, levels_of, most_levels
from nni_emodarts.models.nn.bridge import Bridge
from nni_emodarts.models.nn.convolution import Stem
from nni_emodarts.models.nn.dropout import Dropout
from nni_emodarts.models.nn.levels import Level, Projection
from nni_emodarts.models.nn.masking import strided, without_padding
from nni_emodarts.models.nn.shortcut import Shortcut
from nni_emodarts.models.places import cnn_places
from nni_emodarts.models.space.cells import CnnCell
from nni_emodarts.nni_bridge.nas import Categorical, LayerChoice, current_model


def layer_choice(names: Sequence[str], make: Callable[[str], nn.Module], label: str) -> nn.Module:
    """A choice among layers; of a frozen network the chosen one, and no other is ever made."""
    arch = current_model()
    if arch is None:
        choice: nn.Module = LayerChoice({name: make(name) for name in names}, label=label)
        return choice
    return make(Categorical(list(names), label=label).freeze(arch))


class Heard(NamedTuple):
    """What becomes of a stream, or of several.

    Attributes:
        sequence: (N, T, W).
        lengths: (N,) in frames.
        shortcut: (N, K) outputs of the shortcut; None of a space without, of a supernet, and while cells learn.
    """

    sequence: Tensor
    lengths: Tensor
    shortcut: Tensor | None


class HearsStream(nn.Module):
    """What has the layers of a stream's path: stem, CNN cells and bridge; a base class.

    Spectral maps (N, C, F, T) go through a convolution and cells over time and frequency. A pretrained stream's maps
    (N, L, D, T) have no frequency axis: one of their levels, or neighbours side by side, is mapped linearly to maps of
    a single bin, and cells work over time alone.
    """

    stem_stride: int

    def build_path(self, space: SpaceConfig, stream: HeardStream | None, shape: Shape, num_classes: int) -> None:
        """Build the layers.

        Args:
            space: what the cells are like.
            stream: what is heard; None of the one spectral stream of a space that leaves nothing to choose.
            shape: (C, F) of spectral maps, (L, D) of a pretrained stream's.
            num_classes: number of classes K.
        """
        frozen, channels = current_model() is not None, space.cnn_channels * space.stem_multiplier
        pretrained = stream is not None and stream.is_pretrained
        if stream is not None and pretrained:
            label = level_label(stream.name)
            options = layer_choices(space)[label]
            room = None if frozen else most_levels(options)
            self.level = layer_choice(options, lambda option: Level(stream.places(levels_of(option)), room), label)
            width = room or cast(Level, self.level).room
            rows = width * shape[1]
            self.stem: nn.Module = Projection(rows, channels, affine=frozen)
            bins = 1
        else:
            self.stem = Stem(shape[0], channels, space.stem_stride, affine=frozen)
            rows = shape[0] * shape[1]
            bins = -(-shape[1] // space.stem_stride)
        if space.shortcut and frozen:  # of a supernet there is nothing to solve for: what it hears is still a mixture
            self.shortcut = Shortcut(rows, num_classes)
        self.stem_stride = 1 if pretrained else space.stem_stride
        self.cnn_cells = nn.ModuleList()
        last = channels
        for place in cnn_places(space):
            cell = CnnCell(place, space.cnn_nodes, space.cnn_primitives, affine=frozen, time_only=pretrained)
            self.cnn_cells.append(cell)
            bins, last = -(-bins // cell.stride), cell.out_channels
        self.bridge = Bridge(last, bins, space.seqnn_width)

    def hear_path(self, maps: Tensor, lengths: Tensor, dropout: Dropout) -> Heard:
        """Maps of the stream, lengths (N,) in frames -> what becomes of them."""
        heard = self.heard_of(maps, lengths)
        shortcut = self.shortcut(heard, lengths) if hasattr(self, "shortcut") and not self.training else None
        stem = self.stem(heard, lengths)
        lengths = strided(lengths, self.stem_stride)
        before, last, lengths_before = stem, stem, lengths
        for cell in cast(Iterable[CnnCell], self.cnn_cells):
            lengths_out = strided(lengths, cell.stride)
            out = dropout(cell(before, last, lengths_before, lengths, lengths_out))
            before, last, lengths_before, lengths = last, out, lengths, lengths_out
        return Heard(self.bridge(last, lengths), lengths, shortcut)

    def heard_of(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """Maps of the stream, lengths (N,) in frames -> what all layers hear of them."""
        level = getattr(self, "level", None)
        heard: Tensor = without_padding(maps, lengths) if level is None else level(maps, lengths)
        return heard

    def frames_left(self, lengths: Tensor) -> Tensor:
        """Lengths (N,) of a sequence that `hear_path` makes of maps of these lengths (N,)."""
        for stride in (self.stem_stride, *(cell.stride for cell in cast(Iterable[CnnCell], self.cnn_cells))):
            lengths = strided(lengths, stride)
        return lengths


class StreamPath(HearsStream):
    """The path of one of several streams, all of which have cells of the same choices."""

    def __init__(self, space: SpaceConfig, stream: HeardStream, shape: Shape, num_classes: int) -> None:
        """Build the layers; arguments as for `build_path`."""
        super().__init__()
        self.build_path(space, stream, shape, num_classes)
