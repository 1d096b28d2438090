"""Finished cells for tests of what is made of them: any figure may be given, the others are small."""

from typing import Any

from nni_emodarts.metrics.cells import FinishedCell

ENVIRONMENT = {"python": "3", "packages": {}, "processor": "made up", "threads": 1, "device": "cpu"}


def finished(fold: int = 0, seed: int = 1, **more: Any) -> FinishedCell:
    """A cell of a fold with one speaker, who says 10 utterances of each of two classes."""
    figures = {
        "method": "lstm", "fold": fold, "seed": seed, "settings": "made up", "val_uar": None, "test_uar": 0.75,
        "test_wa": 0.75, "best_epoch": 1, "parameters": 5, "classes": ["anger", "neutral"],
        "speakers": {f"{fold}": [[9, 1], [4, 6]]}, "seconds": 4.0, "cpu_seconds": 8.0, "search_cpu_seconds": 0.0,
        "environment": ENVIRONMENT, **more,
    }  # fmt: skip
    return FinishedCell.from_data(figures)
