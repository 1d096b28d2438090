"""How the documents say what a file of docs/results holds."""

from collections.abc import Sequence
from typing import Any

Table = dict[str, Any]
"""A file of docs/results."""


def missing_text(table: Table) -> str:
    """What of a table is not computed yet; empty where all is."""
    if not table["missing"]:
        return ""
    return "Not complete: " + "; ".join(f"`{row['method']}` ({row['reason']})" for row in table["missing"]) + "."


def find_method(table: Table, name: str) -> Table | None:
    """A method's row; None where it is not computed."""
    return next((method for method in table["methods"] if method["name"] == name), None)


def uar_text(method: Table) -> str:
    """Mean UAR over the seeds, with its deviation where there are several."""
    spread = method["uar_std"]
    return f"{method['uar_mean']:.3f}" + ("" if spread is None else f" ± {spread:.3f}")


def seeds_text(seeds: Sequence[int]) -> str:
    """Which seeds."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def p_text(value: float) -> str:
    """A p-value."""
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def figure_text(uar: float | None) -> str:
    """A UAR; blank where there is none."""
    return "" if uar is None else f"{uar:.3f}"
