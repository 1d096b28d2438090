"""The figure by which networks are chosen and compared: it follows from what they learn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Headline:
    """A figure.

    Attributes:
        key: behind `val_` and `test_` in files.
        name: in words.
    """

    key: str
    name: str

    @property
    def val(self) -> str:
        """Key of the validation figure."""
        return f"val_{self.key}"

    @property
    def test(self) -> str:
        """Key of the test figure."""
        return f"test_{self.key}"


UAR = Headline("uar", "UAR")
CCC = Headline("ccc", "CCC")
BOTH = Headline("uar_ccc", "mean of UAR and CCC")
HEADLINES = {"emotion": UAR, "dimensions": CCC, "both": BOTH}
"""Task -> figure."""


def headline_of(figures: Mapping[str, object]) -> Headline:
    """The headline of a file's figures, which state their task where it is not emotion."""
    return HEADLINES.get(str(figures.get("task", "emotion")), UAR)


def validation_keys(figures: Sequence[Mapping[str, object]]) -> list[str]:
    """Keys of the validation figures that all of several files have, the one that chooses among them."""
    known = [headline.val for headline in (UAR, CCC, BOTH)]
    return [key for key in known if all(key in each for each in figures)]


def shown_in(columns: Iterable[str]) -> Headline:
    """The headline whose validation figure a table has; UAR where it has none."""
    there = set(columns)
    return next((headline for headline in (BOTH, UAR, CCC) if headline.val in there), UAR)


def headlines_of(figures: Mapping[str, object]) -> list[Headline]:
    """UAR where classes were learnt, CCC where dimensions were."""
    return [headline for headline in (UAR, CCC) if headline.test in figures]
