"""docs/PERFORMANCE.md is what its command makes of the figures beside it."""

from pathlib import Path

from benchmarks.performance_document import document

DOCS = Path(__file__).parents[1] / "docs"


def test_the_document_is_made_of_its_figures() -> None:
    assert (DOCS / "PERFORMANCE.md").read_text() == document(DOCS / "performance")
