"""Manifests of recordings that are there, with their ratings on another scale."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

RATED = ("arousal", "valence", "dominance")


def rescaled(manifest: Path, name: str, low: float, high: float) -> Path:
    """The same utterances, whose ratings from 1 to 7 are from `low` to `high`."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        values = table[list(RATED)].astype(float)
        moved = low + (values - 1) * (high - low) / 6
        return table.assign(**moved.map(repr), scale=f"{low:g}..{high:g}")

    return changed(manifest, name, change)


def without(manifest: Path, name: str, columns: Sequence[str]) -> Path:
    """The same utterances without some columns."""
    return changed(manifest, name, lambda table: table.drop(columns=list(columns)))


def changed(manifest: Path, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """A manifest beside another, of the same recordings."""
    path = manifest.with_name(f"{name}.csv")
    change(pd.read_csv(manifest, dtype=str, keep_default_na=False)).to_csv(path, index=False)
    return path
