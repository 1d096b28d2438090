"""What a network's outputs mean: logits of classes, then places in dimensions."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from nni_emodarts.config import Range
from nni_emodarts.data.dimensions import rescale
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import Rows
from nni_emodarts.errors import ProtocolError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

DIMENSIONS_KEY = "outputs"
"""Entry of the files of a network that answers in dimensions: their names and bounds."""
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outputs:
    """What a network's outputs (N, K + D) mean.

    A network says where an utterance lies from -1, the lowest value of the scale, to 1, the highest; what it answers is
    on the scale itself.

    Attributes:
        classes: the K classes, whose logits come first; none where only dimensions are learnt.
        dimensions: the D dimensions, whose places follow.
        low: lowest value of each.
        high: highest value of each.
        stated: whether these are a scale that was stated, and not the range of what was learnt from.
    """

    classes: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    stated: bool = True

    @classmethod
    def of(cls, manifest: Manifest, train: Rows) -> "Outputs":
        """Those that a manifest asks for.

        Args:
            manifest: the utterances.
            train: rows of the training part, whose range is the scale where none is stated.

        Raises:
            ProtocolError: a dimension has no two values in the training part, so that there is nothing to learn.
        """
        names = manifest.dimensions
        if not names:
            return cls(manifest.classes)
        values = manifest.values[train]
        for name, column in zip(names, values.T, strict=True):
            known = np.unique(column[~np.isnan(column)])
            if len(known) < 2:
                what = f"is {known[0]:g} wherever it is known" if len(known) else "is not known"
                raise ProtocolError(
                    f"{name} {what} in a training part of {len(train)} utterances, so that there is nothing to learn; "
                    f"leave it out by data.targets, or use another protocol"
                )
        if manifest.scale is not None:
            low, high = (tuple([bound] * len(names)) for bound in manifest.scale)
        else:
            low, high = (tuple(map(float, each)) for each in (np.nanmin(values, 0), np.nanmax(values, 0)))
        return cls(manifest.classes, names, low, high, manifest.scale is not None)

    @classmethod
    def from_dict(cls, classes: tuple[str, ...], data: JsonMapping) -> "Outputs":
        """Those of classes and of what `to_dict` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            names, low, high = (tuple(data[key]) for key in ("names", "low", "high"))
        except (KeyError, TypeError) as error:
            raise ValueError(f"dimensions are not described by names, low and high ({error})") from None
        bounds = [*low, *high]
        if not len(names) == len(low) == len(high) or not all(isinstance(each, int | float) for each in bounds):
            raise ValueError("each dimension needs a name and two bounds")
        if not all(a < b for a, b in zip(low, high, strict=True)):
            raise ValueError("the lower bound of each dimension must be less than the upper one")
        stated = data.get("stated", True) is True
        return cls(classes, tuple(map(str, names)), tuple(map(float, low)), tuple(map(float, high)), stated)

    def __str__(self) -> str:
        bounds = zip(self.dimensions, self.low, self.high, strict=True)
        return ", ".join([*self.classes, *(f"{name} from {low:g} to {high:g}" for name, low, high in bounds)])

    def to_dict(self) -> JsonObject:
        """The dimensions as plain data; classes are kept elsewhere."""
        data: JsonObject = {"names": list(self.dimensions), "low": list(self.low), "high": list(self.high)}
        return data if self.stated else {**data, "stated": False}

    @property
    def scale(self) -> Range | None:
        """The scale of all dimensions; None where none was stated."""
        return (self.low[0], self.high[0]) if self.dimensions and self.stated else None

    def brought(self, own: Range | None, other: Range | None) -> Self:
        """The same outputs, whose answers are brought linearly from one scale to another; themselves without either."""
        if own is None or other is None:
            return self
        low, high = (tuple(map(float, rescale(bounds, own, other))) for bounds in (self.low, self.high))
        return replace(self, low=low, high=high)

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return len(self.classes)

    @property
    def count(self) -> int:
        """Number of outputs K + D."""
        return len(self.classes) + len(self.dimensions)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs, classes first."""
        return (*self.classes, *self.dimensions)

    @property
    def spans(self) -> Values:
        """(K + D,) how far apart two answers can be: 1 of a probability, the length of a dimension's scale."""
        return np.array([*(1.0 for _ in self.classes), *(b - a for a, b in zip(self.low, self.high, strict=True))])

    def to_unit(self, values: Values) -> Values:
        """Values (n, D) on the scale -> places from -1 to 1."""
        low, high = np.array(self.low), np.array(self.high)
        return np.asarray((2 * values - low - high) / (high - low))

    def from_unit(self, places: npt.NDArray[np.floating]) -> Values:
        """Places (n, D) -> values on the scale, clipped to it."""
        low, high = np.array(self.low), np.array(self.high)
        return np.asarray(np.clip((low + high + places.astype(np.float64) * (high - low)) / 2, low, high))
