"""Finished cells for tests of what is made of them: any figure may be given, the others are small."""

from pathlib import Path
from typing import Any

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.runtime.cell_table import CellKey, CellTable

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


def table_at(folder: Path, name: str = "small") -> CellTable[FinishedCell]:
    """The table behind `FOLDER/NAME.json`."""
    return CellTable.beside(folder, name, FinishedCell.from_data)


def cell_in(folder: Path, method: str, fold: int = 0, seed: int = 1, name: str = "small") -> FinishedCell:
    """A cell of the table behind `FOLDER/NAME.json`."""
    return table_at(folder, name).read().cells[CellKey(method, fold, seed)]


def put(table: CellTable[FinishedCell], cell: FinishedCell, **changed: Any) -> None:
    """Put a changed cell into a table, in place of the one that is there."""
    other = FinishedCell.from_data({**cell.to_data(), **changed})
    table.drop([CellKey(other.method, other.fold, other.seed)])
    table.append(other)
