"""Pieces of the documents that are made of figures."""

from collections.abc import Sequence


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(measured: float, goal: float) -> str:
    """Whether a goal, which is an upper bound, was met."""
    return "met" if measured <= goal else "**missed**"
