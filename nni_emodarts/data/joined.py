"""Several manifests as one corpus: speakers and sessions are told apart by corpus, whatever they are called.

Classes are those that all corpora have, or those that any has (`data.classes`), after emotions have been merged. Names
of two corpora mean nothing to each other: speaker `03` of `emodb` is `emodb/03`.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from nni_emodarts.config import enumerate_faults
from nni_emodarts.data.manifest import Choice, Manifest, pick_classes, read_manifest
from nni_emodarts.data.spelling import nearly_alike
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ManifestError

CORPUS = "corpus"
"""Column of a joined manifest's table that names the corpus of each utterance."""
Classes = Literal["intersection", "union"]


def join_manifests(
    paths: Sequence[str | Path],
    classes: Classes,
    emotions: Sequence[str] | None = None,
    merge: Mapping[str, str] = {},
) -> Manifest:
    """Read several manifests as one.

    Args:
        paths: CSV files.
        classes: `intersection`, the emotions that all of them have, or `union`, those that any has.
        emotions: of these the ones to keep, in this order; all of them, sorted, where absent.
        merge: emotion -> the emotion that it counts as, before.

    Raises:
        ManifestError: one cannot be used, two list the same recordings, or too few classes are left.
    """
    named = sorted(zip(corpus_names([Path(path) for path in paths]), paths, strict=True))
    names, read = [name for name, _ in named], [read_manifest(path) for _, path in named]
    table = pd.concat([_named(*each) for each in zip(names, read, strict=True)], ignore_index=True)
    what = f"manifests {' and '.join(map(str, paths))}"
    _refuse_common(what, table)
    left_out: dict[str, int] = {}
    if classes == "intersection":
        counted = table["emotion"].map(lambda name: merge.get(name, name))
        own = [set(counted[table[CORPUS] == name]) for name in names]
        kept = set.intersection(*own)
        left_out = {str(name): int(count) for name, count in counted[~counted.isin(kept)].value_counts().items()}
        table = table[counted.isin(kept)].reset_index(drop=True)
        merge = {name: target for name, target in merge.items() if name in set(table["emotion"])}
    table, found, faults = pick_classes(table, Choice(emotions, merge))
    if faults:
        hint = [f"classes that not all of them have were left out: {', '.join(sorted(left_out))}"] if left_out else []
        raise ManifestError(enumerate_faults(what, [*faults, *hint]))
    folder = Path(os.path.commonpath([manifest.folder for manifest in read]))
    notes = [f"{name}: {note}" for name, manifest in zip(names, read, strict=True) for note in manifest.notes]
    return Manifest(
        table.reset_index(drop=True), found, _digest(names, read), folder, (*notes, *_notes(found, left_out))
    )


def corpus_names(paths: Sequence[Path]) -> list[str]:
    """What manifests are called: a file `manifest.csv` after its folder, any other by its own name; twins numbered."""
    names = [path.absolute().parent.name if path.stem == "manifest" else path.stem for path in paths]
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def corpora_of(manifest: Manifest, rows: np.ndarray | None = None) -> np.ndarray | None:
    """(n,) number of each row's corpus, in the order of their names; None of a manifest of one corpus."""
    if CORPUS not in manifest.table:
        return None
    codes, _ = pd.factorize(manifest.table[CORPUS], sort=True)
    return codes if rows is None else codes[rows]


def _named(name: str, manifest: Manifest) -> pd.DataFrame:
    table = manifest.table
    apart = {
        column: table[column].where(table[column] == "", f"{name}/" + table[column])
        for column in ("speaker", "session")
    }
    return table.assign(**apart, **{CORPUS: name})


def _refuse_common(what: str, table: pd.DataFrame) -> None:
    shared = table.groupby("file")[CORPUS].nunique()
    twice = sorted(shared.index[shared > 1])
    if twice:
        raise ManifestError(
            f"{what} list {len(twice)} recordings in common: {enumerate_some(twice)}; a recording is of one corpus, "
            f"leave it out of the others"
        )


def _notes(classes: Sequence[str], left_out: Mapping[str, int]) -> list[str]:
    notes = []
    if left_out:
        listed = enumerate_some(f"{name} ({count})" for name, count in left_out.items())
        notes.append(f"emotions that not all corpora have are left out: {listed}; data.classes=union keeps them")
    notes += [f"classes {' and '.join(group)} look alike and count as different" for group in nearly_alike(classes)]
    return notes


def _digest(names: Sequence[str], manifests: Sequence[Manifest]) -> str:
    parts = sorted(f"{name} {manifest.digest}" for name, manifest in zip(names, manifests, strict=True))
    return sha256("\n".join(parts).encode()).hexdigest()
