"""What a search hands back, whatever its family."""

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        choices: a choice for every label.
        val_uar: validation UAR behind the choices.
        tables: tables of the run, by file name.
        figures: further figures of the run.
    """

    choices: dict[str, Any]
    val_uar: float
    tables: dict[str, pd.DataFrame]
    figures: dict[str, Any]
