"""An architecture: what a search chose, as data.

Labels are public: they are the keys of an exported architecture, of a tuner's search space and of the web UI's
columns. `normal_2_0` names the operation on the edge from state 0 to node 2 of the normal cell, `normal_2` the states
that node 2 sums; likewise `reduce_*` and `seqnn_*`. States 0 and 1 are a cell's inputs, nodes count from 2. Outside the
cells, `level_NAME` is the level of a pretrained stream, `stream` what is heard of several streams, such as `NAME` or
`NAME+NAME`, and `pooling` how a sequence becomes a vector.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from nni_emodarts.config import MOST_CLASSES, NONE, InputShape, SpaceConfig, nearest, shorten
from nni_emodarts.errors import ArchitectureError
from nni_emodarts.models.levels import level_label, level_options, levels_of
from nni_emodarts.models.shapes import plain_shape, shape_fault
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.reading import UnreadableError, read_json

FORMAT = "nni_emodarts/architecture/1"
_MOST_ITEMS = 10_000
"""Keys and values of the JSON form but for its origin, which may list a corpus's recordings."""
_SHOWN = 5

STREAM = "stream"
"""Label of what is heard of several streams."""
POOLING = "pooling"
"""Label of how a sequence becomes a vector."""
_EDGE = re.compile(r"(normal|reduce|seqnn)_\d+_\d+")

CellKind = Literal["normal", "reduce", "seqnn"]
Choice = str | tuple[int, ...]
Sample = dict[str, str | list[int]]
"""Label -> operation, or the chosen states in ascending order: choices as NNI and JSON have them."""
Origin = JsonMapping
"""Where an architecture comes from: strategy, seed, hash of the manifest, the speakers that the search saw."""


def node_label(kind: CellKind, node: int) -> str:
    """Label of a node's chosen inputs."""
    return f"{kind}_{node}"


def edge_label(kind: CellKind, node: int, predecessor: int) -> str:
    """Label of an edge's operation."""
    return f"{kind}_{node}_{predecessor}"


class Edge(NamedTuple):
    """An edge of a cell.

    Attributes:
        kind: of the cell.
        node: where it ends.
        predecessor: the state where it begins.
    """

    kind: CellKind
    node: int
    predecessor: int


def read_edge(label: str) -> Edge:
    """The edge that a label of `edge_label` names."""
    kind, node, predecessor = label.split("_")
    return Edge(cast(CellKind, kind), int(node), int(predecessor))


def is_edge(label: str) -> bool:
    """Whether a label is an edge's, and not that of a node or of a choice outside the cells."""
    return _EDGE.fullmatch(label) is not None


def is_layer(label: str) -> bool:
    """Whether a label is that of a choice outside the cells."""
    return label == POOLING or chooses_what_is_heard(label)


def chooses_what_is_heard(label: str) -> bool:
    """Whether a label is that of a level or of streams."""
    return label == STREAM or label.startswith(level_label(""))


def layer_choices(space: SpaceConfig) -> dict[str, tuple[str, ...]]:
    """Choices outside the cells, in the order of computation: label -> candidates; of one that is fixed, that alone.

    Raises:
        ArchitectureError: the levels of a stream are not known, or what is fixed is no candidate.
    """
    found: dict[str, tuple[str, ...]] = {}
    for stream in space.hears:
        if stream.is_pretrained:
            if not stream.levels:
                raise ArchitectureError(
                    f"the levels of stream {stream.name} are not known; name them in features.streams, such as "
                    f"levels: [0, 1, 2], or name a model that can be looked into"
                )
            found[level_label(stream.name)] = level_options(stream, space.joined_levels)
    if len(space.hears) > 1:
        names = [stream.name for stream in space.hears]
        found[STREAM] = (*names, *map("+".join, itertools.combinations(names, 2)))
    if space.poolings:
        found[POOLING] = space.poolings
    for label, candidate in space.fixed:
        if candidate not in found.get(label, ()):
            known = "; ".join(f"{name} is one of {', '.join(options)}" for name, options in found.items())
            raise ArchitectureError(f"space.fixed: {label} cannot be {candidate}; {known or 'the space has none'}")
    return {**found, **{label: (candidate,) for label, candidate in space.fixed}}


def heard_streams(space: SpaceConfig, choices: Mapping[str, object]) -> tuple[str, ...]:
    """Names of the streams that a network of these choices hears; none of a space of one spectral stream."""
    chosen = choices.get(STREAM)
    return tuple(chosen.split("+")) if isinstance(chosen, str) else tuple(stream.name for stream in space.hears)


def cell_kinds(space: SpaceConfig) -> tuple[CellKind, ...]:
    """Kinds of cells that the space holds."""
    kinds: list[CellKind] = []
    if len(space.reductions) < space.cnn_cells:
        kinds.append("normal")
    if space.reductions:
        kinds.append("reduce")
    return (*kinds, "seqnn")


def cell_nodes(space: SpaceConfig, kind: CellKind) -> range:
    """Numbers of a cell's nodes."""
    return range(2, 2 + (space.seqnn_nodes if kind == "seqnn" else space.cnn_nodes))


def candidates(space: SpaceConfig, kind: CellKind) -> tuple[str, ...]:
    """Operations that an edge may hold, `none` included where the space has it."""
    return space.sequence_operations if kind == "seqnn" else tuple(space.cnn_primitives)


def derivable(space: SpaceConfig, kind: CellKind) -> tuple[str, ...]:
    """Operations that an edge of a derived network may hold: all but `none`."""
    return tuple(name for name in candidates(space, kind) if name != NONE)


def nodes(space: SpaceConfig) -> Iterator[tuple[CellKind, int]]:
    """Every node of the space, cell by cell."""
    for kind in cell_kinds(space):
        for node in cell_nodes(space, kind):
            yield kind, node


_Pair = tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=4096)]]

_Named = tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=8192)]]
"""Of a stream by name, or of functionals."""


class _Document(BaseModel):
    """The JSON form."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    format: Literal["nni_emodarts/architecture/1"]
    id: str = Field(max_length=64)
    space: SpaceConfig
    choices: dict[str, str | list[int]]
    num_classes: int = Field(ge=1, le=MOST_CLASSES)
    input_shape: _Pair | dict[str, _Named]
    origin: JsonObject


@dataclass(frozen=True)
class Architecture:
    """Choices by label, the space that they belong to, and where they came from.

    Attributes:
        space: the joint space.
        choices: label -> operation or other candidate, or the chosen states in ascending order. Edges that no node
            takes, and levels of streams that are not heard, are left out.
        num_classes: number of outputs that it was searched for: classes K, and dimensions D where they were learnt.
        input_shape: of the maps that it was searched for: (C, F), or (L, D), levels and features, of a pretrained
            stream; of several streams, name -> its shape, also of those that it does not hear.
        origin: strategy, seed, hash of the manifest, speakers that the search saw, and the like.
    """

    space: SpaceConfig
    choices: Mapping[str, Choice]
    num_classes: int
    input_shape: InputShape
    origin: Origin = field(default_factory=dict)

    @classmethod
    def from_choices(
        cls,
        space: SpaceConfig,
        choices: Mapping[str, object],
        num_classes: int,
        input_shape: InputShape,
        origin: Origin | None = None,
    ) -> Self:
        """Check and tidy the choices that a strategy or a tuner made.

        A pair of inputs may be a list or a tuner's text such as `0+2`.

        Raises:
            ArchitectureError: labels or choices that the space does not have, all of them named.
        """
        # Two descriptions of one space must make equal architectures.
        space = SpaceConfig.model_validate(space.identity())
        shape = plain_shape(input_shape)
        if (fault := shape_fault(space, shape)) is not None:
            raise ArchitectureError(fault)
        return cls(space, _tidy(space, choices), num_classes, shape, dict(origin or {}))

    @property
    def id(self) -> str:
        """Hash of the space and the choices: equal networks have equal ids, on whatever corpus."""
        meaning = {"space": self.space.identity(), "choices": self._plain_choices()}
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def heard(self) -> tuple[str, ...]:
        """Names of the streams that its network hears; none of a space of one spectral stream."""
        return heard_streams(self.space, self.choices)

    @property
    def levels(self) -> dict[str, tuple[int, ...]]:
        """The level of each pretrained stream that its network hears, by the stream's name; several where joined."""
        labels = {name: level_label(name) for name in self.heard}
        return {name: levels_of(str(self.choices[label])) for name, label in labels.items() if label in self.choices}

    @property
    def pooling(self) -> str:
        """How a sequence becomes a vector."""
        return str(self.choices.get(POOLING, self.space.pooling))

    def widened(self, factor: float) -> "Architecture":
        """The same choices with so many times the channels and the width of the sequence; itself where that is 1."""
        channels, width = round(factor * self.space.cnn_channels), round(factor * self.space.seqnn_width)
        if factor == 1:
            return self
        if min(channels, width) < 1:
            raise ArchitectureError(
                f"{factor} times {self.space.cnn_channels} channels and a width of {self.space.seqnn_width} leaves "
                f"nothing; choose a larger retrain.width"
            )
        space = self.space.model_copy(update={"cnn_channels": channels, "seqnn_width": width})
        return replace(self, space=space)

    def sample(self) -> Sample:
        """The choices as NNI's `model_context` takes them."""
        return self._plain_choices()

    def to_dict(self) -> JsonObject:
        """The JSON form."""
        return {
            "format": FORMAT,
            "id": self.id,
            "space": self.space.identity(),
            "choices": self._plain_choices(),
            "num_classes": self.num_classes,
            "input_shape": _plain(self.input_shape),
            "origin": dict(self.origin),
        }

    @classmethod
    def from_dict(cls, data: object, source: str = "architecture") -> Self:
        """Read the JSON form.

        Raises:
            ArchitectureError: anything that `to_dict` would not have written.
        """
        if isinstance(data, Mapping):
            _refuse_many({key: value for key, value in data.items() if key != "origin"}, source)
        try:
            document = _Document.model_validate(data)
        except ValidationError as error:
            faults = "; ".join(_fault(item) for item in error.errors()[:_SHOWN])
            raise ArchitectureError(f"{source} is no architecture of this package: {faults}") from None
        try:
            made = cls.from_choices(
                document.space, document.choices, document.num_classes, document.input_shape, document.origin
            )
        except ArchitectureError as error:
            raise ArchitectureError(f"{source}: {error}") from None
        if made.id != document.id:
            raise ArchitectureError(
                f"{source}: its id is {document.id}, but its space and choices give {made.id}; it was edited by hand. "
                f"Set id to {made.id} if that was meant"
            )
        return made

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an architecture's JSON file.

        Raises:
            ArchitectureError: a file that is missing or holds something else.
        """
        path = Path(path)
        try:
            data = read_json(path)
        except OSError as error:
            raise ArchitectureError(
                f"architecture {path}: {error.strerror or error}; name the architecture.json of a search"
            ) from None
        except UnreadableError as error:
            raise ArchitectureError(f"architecture {path} {error}") from None
        return cls.from_dict(data, f"architecture {path}")

    def _plain_choices(self) -> Sample:
        return {label: list(choice) if isinstance(choice, tuple) else choice for label, choice in self.choices.items()}


def _plain(shape: InputShape) -> JsonObject | list[int]:
    return {name: list(each) for name, each in shape.items()} if isinstance(shape, Mapping) else list(shape)


def _refuse_many(data: Any, source: str) -> None:
    """Refuse more keys and values than an architecture has, before each of them is checked.

    Raises:
        ArchitectureError: there are more.
    """
    waiting, count = [data], 0
    while waiting:
        each = waiting.pop()
        inside = each.values() if isinstance(each, Mapping) else each if isinstance(each, list | tuple) else ()
        count += len(inside)
        if count > _MOST_ITEMS:
            raise ArchitectureError(f"{source} holds more than {_MOST_ITEMS:,} keys and values; no architecture does")
        waiting += inside


def _fault(item: ErrorDetails) -> str:
    location = ".".join(str(part)[:80] for part in item["loc"])
    return f"{location or 'the file'}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _tidy(space: SpaceConfig, choices: Mapping[str, object]) -> dict[str, Choice]:
    """Choices in the space's order, chosen edges only; every fault in one error."""
    faults: list[str] = []
    tidy: dict[str, Choice] = {}
    layers = layer_choices(space)
    heard = heard_streams(space, choices)
    unheard = {level_label(stream.name) for stream in space.hears if stream.name not in heard}
    for label, options in layers.items():
        if label not in unheard:
            _take(choices, label, options, tidy, faults)
    known = set(layers)
    for kind, node in nodes(space):
        label = node_label(kind, node)
        known |= {label, *(edge_label(kind, node, state) for state in range(node))}
        chosen = _read_inputs(choices.get(label), node, space.N_CHOSEN)
        if chosen is None:
            faults.append(_missing_or_wrong(choices, label, f"two different states of 0 to {node - 1}, such as [0, 1]"))
            continue
        tidy[label] = chosen
        operations = derivable(space, kind)
        for state in chosen:
            _take(choices, edge_label(kind, node, state), operations, tidy, faults)
    unknown = [label for label in choices if label not in known]
    faults += [f"{label[:80]}: no choice of this space{nearest(label, known)}" for label in unknown[:_SHOWN]]
    count = len(faults) + len(unknown[_SHOWN:])
    if faults:
        more = f" (and {count - _SHOWN} more faults)" if count > _SHOWN else ""
        raise ArchitectureError(f"the choices do not fit the space: {'; '.join(faults[:_SHOWN])}{more}")
    return tidy


def _take(
    choices: Mapping[str, object], label: str, options: Sequence[str], tidy: dict[str, Choice], faults: list[str]
) -> None:
    """Keep the choice of a label among its options, or note what is wrong with it."""
    chosen = choices.get(label)
    if isinstance(chosen, str) and chosen in options:
        tidy[label] = chosen
    else:
        faults.append(_missing_or_wrong(choices, label, f"one of {', '.join(options)}"))


def _read_inputs(value: object, node: int, count: int) -> tuple[int, ...] | None:
    if isinstance(value, str):
        parts = value.split("+")
        value = [int(part) if part.isascii() and part.isdigit() else None for part in parts]
    if not isinstance(value, list | tuple) or not all(type(state) is int and 0 <= state < node for state in value):
        return None
    chosen = tuple(sorted(value))
    return chosen if len(chosen) == len(set(chosen)) == count else None


def _missing_or_wrong(choices: Mapping[str, object], label: str, allowed: str) -> str:
    found = f"{shorten(choices[label])} is not allowed" if label in choices else "missing"
    return f"{label}: {found}; give {allowed}"
