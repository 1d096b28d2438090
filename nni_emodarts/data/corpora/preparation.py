"""From the recordings and label files of a corpus as it is distributed to a manifest."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nni_emodarts.data.corpora import corpus_reader
from nni_emodarts.data.corpora.files import notes_of, refuse_pointers
from nni_emodarts.data.manifest import LABELS, REQUIRED, TIMES, Manifest, assemble, read_manifest
from nni_emodarts.data.table import LINE
from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.writing import check_output, write_output


def prepare(
    name: str,
    root: str | Path,
    out: str | Path,
    emotions: Sequence[str] | None = None,
    merge: Mapping[str, str] = {},
    overwrite: bool = False,
    **options: str,
) -> Manifest:
    """`write_manifest` with the options of the corpus as arguments by name."""
    return write_manifest(name, root, out, emotions=emotions, merge=merge, options=options, overwrite=overwrite)


def write_manifest(
    name: str,
    root: str | Path,
    out: str | Path,
    *,
    emotions: Sequence[str] | None = None,
    merge: Mapping[str, str] = {},
    options: Mapping[str, str] = {},
    overwrite: bool = False,
) -> Manifest:
    """Write the manifest of a corpus.

    Args:
        name: name of the corpus.
        root: folder that holds it; for `csv` the CSV file.
        out: the CSV file to write. Recordings in its folder or below are named relative to it, so that they can move
            together; others are named absolutely.
        emotions: the classes to keep, after merging, in this order; all of them, sorted, where absent.
        merge: emotion of the corpus -> the emotion that it counts as.
        options: of the corpus; see the options of its card.
        overwrite: replace an existing file.

    Returns:
        The manifest as read back from `out`, with the classes in the order of `emotions`.

    Raises:
        ConfigError: the corpus or an option does not exist.
        ManifestError: the root is not the corpus, or the corpus, the emotions or the merging have faults.
        RunFolderError: `out` is taken or cannot be written.
    """
    reader = corpus_reader(name)
    for option, value in options.items():
        reader.CARD.check_option(option, value)
    root, out = (Path(os.path.abspath(path)) for path in (root, out))  # noqa: PTH100 - resolve() would follow links
    if out == root or (out.exists() and root.exists() and out.samefile(root)):
        raise RunFolderError(f"output {out} is the corpus itself; name another file")
    check_output(out, overwrite, "manifest.csv")
    table = reader.read(root, **options)
    checked = _check(table, root, out, emotions, merge)
    notes = (*notes_of(table), *checked.notes, *refuse_pointers(reader.CARD, root, checked.table["file"]))
    write_output(out, _encode(checked.table.assign(file=replace(checked, folder=out.parent).names)))
    return replace(read_manifest(out, emotions), notes=notes)  # what was not understood was not written


def _check(
    table: pd.DataFrame, root: Path, out: Path, emotions: Sequence[str] | None, merge: Mapping[str, str]
) -> Manifest:
    """The manifest as it would be, before anything is written to its place."""
    lines = table.index if table.index.name == LINE else table.index + 2  # those that the manifest would have
    return assemble(table.set_axis(lines), f"manifest {out} (not written) of {root}", out.parent, emotions, merge)


def _encode(table: pd.DataFrame) -> bytes:
    """CSV of the required columns, and of the others where they say something."""
    labels = [name for name in LABELS if name not in REQUIRED and name in table and (table[name] != "").any()]
    times = [name for name in TIMES if name in table and (table[name].notna() & (table[name].astype(str) != "")).any()]
    return table[[*REQUIRED, *labels, *times]].to_csv(index=False, lineterminator="\n").encode()
