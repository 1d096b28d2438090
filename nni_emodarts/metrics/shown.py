"""Figures on further corpora, as console, report and model card show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from nni_emodarts.metrics.headline import UAR, Headline, headlines_of
from nni_emodarts.metrics.notation import figure_text
from nni_emodarts.runtime.plain_data import JsonMapping


@dataclass(frozen=True)
class Shown:
    """A headline of a corpus as it is shown: UAR, or CCC.

    Attributes:
        headline: which one.
        value: mean over the networks.
        std: deviation over them; None of one.
        interval: over the speakers; None of too few.
        beside: other figures, in words.
    """

    headline: Headline
    value: float
    std: float | None
    interval: Sequence[float] | None
    beside: str


def shown_figures(own: JsonMapping) -> list[Shown]:
    """What is shown of a corpus: UAR where there are classes, CCC where there are dimensions."""
    return [
        Shown(
            headline, own[headline.test], own[f"{headline.test}_std"], own[f"{headline.test}_interval"],
            _told_beside(own) if headline is UAR else _rated_beside(own),
        )
        for headline in headlines_of(own)
    ]  # fmt: skip


def _told_beside(own: JsonMapping) -> str:
    return f"WA {figure_text(own['test_wa'])}, macro F1 {figure_text(own['test_macro_f1'])}"


def _rated_beside(own: JsonMapping) -> str:
    each = [
        f"{name} {figure_text(own[f'test_ccc_{name}'])}" + (f" of {count}" if count != own["utterances"] else "")
        for name, count in own["rated"].items()
    ]
    scale = "" if "scale" not in own else " on {:g}..{:g}".format(*own["scale"])
    return f"{', '.join(each)}; Pearson {figure_text(own['test_pearson'])}, MAE {figure_text(own['test_mae'])}{scale}"
