"""What a search recorded as it went on: by epoch of its supernet, or by candidate of a search by trials."""

import pandas as pd

from nni_emodarts.runtime.run_folder import CANDIDATES, HISTORY, RunFolder


def read_epochs(search: RunFolder) -> pd.DataFrame | None:
    """A row for each epoch; None where nothing was recorded by epoch."""
    history = search.read_csv(HISTORY) if search.has(HISTORY) else None
    return history if history is not None and "epoch" in history.columns else None


def read_candidates(search: RunFolder) -> pd.DataFrame | None:
    """A row for each candidate with its `val_uar`, blank where it failed; None where there were no candidates."""
    if search.has(CANDIDATES):
        return search.read_csv(CANDIDATES)
    history = search.read_csv(HISTORY) if search.has(HISTORY) else None
    return history if history is not None and "candidate" in history.columns else None
