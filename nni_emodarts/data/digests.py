"""A manifest's digest, and the names of its recordings beside it."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

_PIECE = 4096
"""Lines that are hashed at a time."""


def digest_rows(table: pd.DataFrame, columns: Sequence[str], folder: Path) -> str:
    """Hash of columns as JSON, in pieces: a corpus of millions of lines is never one text.

    Args:
        table: a manifest's rows.
        columns: which of theirs; `file` counts relative to the folder.
        folder: of the manifest.
    """
    digest = hashlib.sha256(b"[")
    for position, name in enumerate(columns):
        digest.update(b", [" if position else b"[")
        for first in range(0, len(table), _PIECE):
            piece = table[name].iloc[first : first + _PIECE].tolist()
            text = json.dumps(relative(piece, folder) if name == "file" else piece)
            digest.update((", " if first else "").encode() + text[1:-1].encode())
        digest.update(b"]")
    digest.update(b"]")
    return digest.hexdigest()


def relative(files: Iterable[str], folder: Path) -> list[str]:
    """Files as a manifest in a folder names them: relative to it where they lie inside."""
    inside = str(folder).rstrip(os.sep) + os.sep
    return [name.removeprefix(inside) for name in files]
