"""docs/RESULTS.md, made of docs/results alone."""

from pathlib import Path


def write_document(docs: Path) -> None:
    """Write RESULTS.md beside the results."""
    raise NotImplementedError
