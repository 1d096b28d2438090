"""How the documents say what a file of docs/results holds."""

from collections.abc import Iterable, Sequence

from benchmarks.evidence.tables import Missing
from nni_emodarts.metrics.notation import figure_text
from nni_emodarts.metrics.summaries import MethodSummary


def missing_text(missing: Sequence[Missing]) -> str:
    """What of a table is not computed yet; empty where all is."""
    if not missing:
        return ""
    return "Not complete: " + "; ".join(f"`{row.method}` ({row.reason})" for row in missing) + "."


def find_method(methods: Iterable[MethodSummary], name: str) -> MethodSummary | None:
    """A method's row; None where it is not computed."""
    return next((method for method in methods if method.name == name), None)


def uar_text(method: MethodSummary) -> str:
    """Mean UAR over the seeds, with its deviation where there are several."""
    return figure_text(method.uar_mean, method.uar_std)


def seeds_text(seeds: Sequence[int]) -> str:
    """Which seeds."""
    return f"seed{'s' if len(seeds) > 1 else ''} {numbers_text(seeds)}"


def numbers_text(numbers: Iterable[int]) -> str:
    """Numbers in a row."""
    return ", ".join(map(str, numbers))
