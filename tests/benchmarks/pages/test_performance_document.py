"""docs/PERFORMANCE.md is what its command makes of the figures beside it."""

from pathlib import Path

from benchmarks.pages.performance_document import _paired, document

DOCS = Path(__file__).parents[3] / "docs"


def test_the_document_is_made_of_its_figures() -> None:
    assert (DOCS / "PERFORMANCE.md").read_text() == document(DOCS / "performance")


def test_a_difference_of_few_pairs_is_held_against_students_quantile() -> None:
    """Six pairs whose mean is 2.4 standard errors from zero: p is 0.06."""
    spread = 0.05
    found = {"each": [0.0] * 6, "mean": 2.4 * spread / 6**0.5, "standard_deviation": spread}
    assert "no difference is seen" in _paired("a", "b", found)
    assert "more than chance" in _paired("a", "b", {**found, "mean": 2.6 * spread / 6**0.5})
