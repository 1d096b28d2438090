"""The parts of a fold, and what people call them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

PARTS = ("train", "validation", "test")
SPLIT_ALIASES = {
    "train": r"train(ing)?",
    "validation": r"val(id(ation)?)?|dev(el(opment)?)?",
    "test": r"test[ _-]?\d*",
}
"""What a column `split` may call each part, in any case of letters."""


def parts_of(split: "pd.Series[str]") -> npt.NDArray[np.int64]:
    """(n,) place of each part in `PARTS`; -1 of what is called otherwise."""
    lowered = split.str.lower()
    part = np.full(len(split), -1)
    for number, pattern in enumerate(SPLIT_ALIASES.values()):
        part[lowered.str.fullmatch(pattern).to_numpy(dtype=bool)] = number
    return part
