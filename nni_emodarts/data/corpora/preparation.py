"""From the recordings and label files of a corpus as it is distributed to a manifest."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nni_emodarts.config import FILE_PROTOCOL, SCALE_COLUMN
from nni_emodarts.data.corpora import corpus_reader
from nni_emodarts.data.corpora.emobox import NAME, emobox_folds, parse_choice, refuse_shared_speakers
from nni_emodarts.data.corpora.files import notes_of, refuse_pointers
from nni_emodarts.data.dimensions import Wanted, present, written
from nni_emodarts.data.fold_lists import parse_folds
from nni_emodarts.data.manifest import LABELS, TIMES, Manifest, assemble, read_manifest
from nni_emodarts.data.picking import REQUIRED, Choice
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.data.table import LINE
from nni_emodarts.data.votes import VOTES, encode_votes
from nni_emodarts.errors import ProtocolError, RunFolderError
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
    folds: str | None = None,
    allow_overlap: bool = False,
    overwrite: bool = False,
) -> Manifest:
    """Write the manifest of a corpus, and beside it a list of folds that others have published, where one is named.

    Args:
        name: name of the corpus.
        root: folder that holds it; for `csv` the CSV file.
        out: the CSV file to write. Recordings in its folder or below are named relative to it, so that they can move
            together; others are named absolutely.
        emotions: the classes to keep, after merging, in this order; all of them, sorted, where absent.
        merge: emotion of the corpus -> the emotion that it counts as.
        options: of the corpus; see the options of its card.
        folds: `emobox`, or `emobox:` and the folder of a checkout of EmoBox; written to `folds_beside(out)`.
        allow_overlap: write folds that have speakers on both sides, too.
        overwrite: replace an existing file.

    Returns:
        The manifest as read back from `out`, with the classes in the order of `emotions`.

    Raises:
        ConfigError: the corpus, an option or the folds do not exist.
        ProtocolError: the folds cannot be made of the manifest, or have speakers on both sides.
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
    checkout = None if folds is None else parse_choice(folds)
    if folds is not None:
        check_output(folds_beside(out), overwrite, "folds.csv")
        if not allow_overlap:
            refuse_shared_speakers(name)
    table = reader.read(root, **options)
    dimensions = present(table)
    wanted = Wanted(dimensions, reader.CARD.scale, learnt=False) if dimensions else None
    checked = _check(table, root, out, Choice(emotions, merge, wanted, undecided=True))
    notes = (*notes_of(table), *checked.notes, *refuse_pointers(reader.CARD, root, checked.table["file"]))
    checked = replace(checked, folder=out.parent)
    listed = None if folds is None else _published(name, checked, checkout, allow_overlap)
    write_output(out, _encode(checked))
    if listed is not None:
        write_output(folds_beside(out), listed.to_csv(index=False, lineterminator="\n").encode())
    read = read_manifest(out, emotions, undecided=True)
    return replace(read, notes=notes)  # what was not understood was not written


def _check(table: pd.DataFrame, root: Path, out: Path, choice: Choice) -> Manifest:
    """The manifest as it would be, before anything is written to its place."""
    lines = table.index if table.index.name == LINE else table.index + 2  # those that the manifest would have
    what = f"manifest {out} (not written) of {root}"
    return assemble(table.set_axis(lines), what, out.parent, choice)


def folds_beside(out: str | Path) -> Path:
    """The list of published folds of a manifest."""
    return Path(out).with_suffix(f".{NAME}.csv")


def _published(name: str, manifest: Manifest, checkout: Path | None, allow_overlap: bool) -> pd.DataFrame:
    """The list of EmoBox's folds, checked.

    Raises:
        ConfigError: as for `emobox_folds`.
        ProtocolError: likewise; or a fold has speakers on both sides.
    """
    listed = emobox_folds(name, manifest, checkout)
    what = f"list of EmoBox's folds of {name}"
    try:
        found = parse_folds(listed.set_axis(listed.index + 2), what, manifest, allow_overlap=allow_overlap)
        make_folds(replace(manifest, folds=found), f"{FILE_PROTOCOL}{NAME}")
    except ProtocolError as error:
        raise ProtocolError(
            f"{error}\nEmoBox's folds are of the whole corpus: name its whole folder, or leave --folds out and take a "
            f"protocol such as loso or kfold:K"
        ) from None
    return listed


def _encode(manifest: Manifest) -> bytes:
    """CSV of the required columns, of others where they say something, of dimensions with their scale, and of votes."""
    table = manifest.table.assign(file=manifest.names)
    labels = [name for name in LABELS if name not in REQUIRED and name in table and (table[name] != "").any()]
    times = [name for name in TIMES if name in table and (table[name].notna() & (table[name].astype(str) != "")).any()]
    table = table[[*REQUIRED, *labels, *times, *manifest.dimensions]]
    if manifest.scale is not None:
        table = table.assign(**{SCALE_COLUMN: written(manifest.scale)})
    if manifest.votes is not None and manifest.votes.to_numpy().any():
        table = table.assign(**{VOTES: encode_votes(manifest.votes)})
    return table.to_csv(index=False, lineterminator="\n").encode()
