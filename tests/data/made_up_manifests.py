"""Manifests that tests make up."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nni_emodarts.data.manifest import COLUMNS, Manifest


def build(rows: Sequence[dict[str, str]]) -> Manifest:
    """A manifest of rows that need no recordings; absent columns are blank."""
    table = pd.DataFrame([{name: row.get(name, "") for name in COLUMNS} for row in rows])
    table["file"] = [row.get("file", f"/{number}.wav") for number, row in enumerate(rows)]
    return Manifest(table, tuple(sorted(set(table["emotion"]))), "digest")


def who(manifest: Manifest, rows: np.ndarray | None = None) -> list[str]:
    """Speakers of rows, written out a second time: each recording of an unknown one is a person of its own."""
    files = list(manifest.table["file"])
    names = [name or f"~{files.index(files[row]):06d}" for row, name in enumerate(manifest.table["speaker"])]
    return names if rows is None else [names[row] for row in rows]
