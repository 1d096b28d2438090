"""Corpora that networks are only scored on: their labels and ratings in the networks' terms, and whom both know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from nni_emodarts.config import Range, enumerate_faults, nearest
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.dimensions import Wanted, written
from nni_emodarts.data.joined import corpus_names
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.overlap import find_overlap
from nni_emodarts.data.spelling import match
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ManifestError, OverlapError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject


@dataclass(frozen=True)
class LabelChoice:
    """What becomes of labels that are none of the networks' classes, and of ratings whose scale is not stated.

    Attributes:
        merge: label -> the class that it counts as.
        leave_out: labels whose utterances are not scored.
        inherited: labels that counted as a class where the networks were trained, and do so here.
        scale: of ratings in manifests that state none; the networks' where absent.
    """

    merge: Mapping[str, str] = field(default_factory=dict)
    leave_out: Sequence[str] = ()
    inherited: Mapping[str, str] = field(default_factory=dict)
    scale: Range | None = None


@dataclass(frozen=True)
class Terms:
    """What networks answer in.

    Attributes:
        classes: their classes; none where they answer in dimensions alone.
        dimensions: their dimensions; none where they tell classes alone.
        scale: of the dimensions; None where the training stated none.
    """

    classes: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    scale: Range | None = None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Those of networks that learn from a manifest."""
        return cls(manifest.classes, manifest.dimensions, manifest.scale)


@dataclass(frozen=True)
class OtherManifest:
    """A manifest in the terms of networks that were trained on another one.

    Attributes:
        name: what figures and files call it.
        manifest: its utterances of the networks' classes, in all of their dimensions, on its own scale.
        terms: the networks'.
        left_out: label -> number of utterances that are not scored.
    """

    name: str
    manifest: Manifest
    terms: Terms
    left_out: Mapping[str, int]

    @property
    def notes(self) -> list[str]:
        """What a person should know of its figures."""
        found = [f"{self.name}: {each}" for each in self.manifest.notes]
        if self.left_out:
            listed = enumerate_some(f"{label} ({count})" for label, count in self.left_out.items())
            found.append(f"{self.name}: {sum(self.left_out.values())} utterances are left out: {listed}")
        classes, heard = self.terms.classes, set(self.manifest.table["emotion"])
        absent = [label for label in classes if label not in heard]
        if absent:
            found.append(
                f"{self.name}: no utterance is {' or '.join(absent)}; its UAR is the mean recall of "
                f"{len(classes) - len(absent)} of {len(classes)} classes"
            )
        return [*found, *(f"{self.name}: {each}" for each in self._scale_notes)]

    @property
    def _scale_notes(self) -> Iterator[str]:
        own, names = self.manifest.scale, self.terms.dimensions
        lacking = [name for name in names if self.manifest.table[name].isna().all()]
        if lacking:
            count = len(names)
            yield (
                f"no utterance is rated in {' or '.join(lacking)}; CCC is the mean of {count - len(lacking)} of "
                f"{count} dimensions"
            )
        for name in names:
            known = self.manifest.table[name].dropna().unique()
            if len(known) == 1:
                yield f"{name} is {known[0]:g} on every line that has a value: its CCC, which counts, cannot be above 0"
        if names and own is None:
            yield (
                "scale: none is stated, here or by the training; ratings are taken to be in the training's unit; state "
                "both, by data.scale and by a column 'scale' or --scale"
            )
        elif own != self.terms.scale and own is not None and self.terms.scale is not None:
            yield f"answers are brought linearly from {written(self.terms.scale)} to {written(own)}, its own scale"


def read_others(paths: Sequence[str | Path], terms: Terms, choice: LabelChoice) -> list[OtherManifest]:
    """Read the manifests that networks are to be scored on.

    Args:
        paths: CSV files.
        terms: what the networks answer in.
        choice: what becomes of other labels, and the scale of ratings that state none.

    Raises:
        ManifestError: one cannot be used; it has labels that are neither classes nor counted as one nor left out, or
            no rating in any of the dimensions, or a scale that answers cannot be brought to; or what is chosen has no
            manifest's label.
    """
    read = [read_manifest(path, dimensions=_wanted(terms, choice)) for path in paths]
    known = {label for manifest in read for label in manifest.table["emotion"]} - {""}
    faults = [
        f"{what}: no utterance is {label!r}{nearest(label, known)}"
        for what, labels in (("merge", choice.merge), ("leave-out", choice.leave_out))
        for label in labels
        if label not in known and label not in match([label], known)
    ]
    faults += [
        f"merge: {target!r} is no class of the networks{nearest(target, terms.classes)}"
        for target in choice.merge.values()
        if target not in terms.classes and target not in match([target], terms.classes)
    ]
    if choice.merge and not terms.classes:
        faults = ["merge: the networks answer in dimensions alone, and tell no classes; leave it out"]
    if choice.scale is not None and read and all(manifest.scale != choice.scale for manifest in read):
        what = "each of them states another" if terms.dimensions else "the networks answer in no dimension"
        faults.append(f"scale: {written(choice.scale)} is of ratings that state none, but {what}; leave it out")
    if faults:
        raise ManifestError(enumerate_faults("the choice for the corpora to score on", faults))
    names = corpus_names([Path(path) for path in paths])
    return [_in_terms(*each, terms, choice) for each in zip(names, paths, read, strict=True)]


def _wanted(terms: Terms, choice: LabelChoice) -> Wanted | None:
    if not terms.dimensions:
        return None
    stated = [(choice.scale, "--scale"), (terms.scale, "the networks'")]
    taken = next(((scale, whose) for scale, whose in stated if scale is not None), None)
    return Wanted(terms.dimensions, None, taken, alone=not terms.classes, learnt=False, partial=True)


def _in_terms(name: str, path: str | Path, manifest: Manifest, terms: Terms, choice: LabelChoice) -> OtherManifest:
    if terms.dimensions and terms.scale is None and manifest.scale is not None:
        raise ManifestError(
            f"manifest {path}: its ratings are on {written(manifest.scale)}, but the networks' training stated no "
            f"scale, so that answers cannot be brought to it; state the training's by --set data.scale=[LOW,HIGH]"
        )
    own = manifest.table["emotion"]
    emotion = _in_classes(path, own, terms.classes, choice) if terms.classes else own
    spelled = match(choice.leave_out, set(own))
    dropped = own.isin([spelled.get(label, label) for label in choice.leave_out])
    lacking = {name: np.nan for name in terms.dimensions if name not in manifest.dimensions}
    kept = manifest.table.assign(emotion=emotion, **lacking)[~dropped].reset_index(drop=True)
    if kept.empty:
        raise ManifestError(f"manifest {path}: no utterance is left to score on; leave fewer labels out")
    if terms.dimensions and kept[list(terms.dimensions)].isna().all(axis=None):
        raise ManifestError(f"manifest {path}: none of the utterances that are left is rated; leave fewer labels out")
    left_out = {str(key): int(count) for key, count in own[dropped].value_counts().items()}
    # its votes are by its own labels; it is scored by the emotion that most agreed on
    changed = replace(manifest, table=kept, classes=terms.classes, dimensions=terms.dimensions, votes=None)
    return OtherManifest(name, changed, terms, left_out)


def _in_classes(
    path: str | Path, own: "pd.Series[str]", classes: Sequence[str], choice: LabelChoice
) -> "pd.Series[str]":
    """Labels as the classes that they count as; those that are left out stay.

    Raises:
        ManifestError: some count as none.
    """
    labels = set(own)
    spelled, alike = match([*choice.merge, *choice.leave_out], labels), match(labels, classes)
    given = {spelled.get(label, label): target for label, target in choice.merge.items()}
    targets = {**choice.inherited, **given}
    targets |= {label: match([target], classes).get(target, target) for label, target in targets.items()}
    emotion = own.map(lambda label: label if label in classes else targets.get(label, alike.get(label, label)))
    emotion = emotion.where(~own.isin(list(given)), own.map(targets))
    dropped = own.isin([spelled.get(label, label) for label in choice.leave_out])
    odd = own[~dropped & ~emotion.isin(classes)].value_counts()
    if len(odd):
        listed = enumerate_some(f"{label} ({count} utterances)" for label, count in odd.items())
        raise ManifestError(
            f"manifest {path}: {listed} {'is' if len(odd) == 1 else 'are'} none of the networks' classes "
            f"({', '.join(classes)}); say which of them each counts as, such as --merge {odd.index[0]}={classes[0]}, "
            f"or leave it out: --leave-out {','.join(map(str, odd.index))}"
        )
    return emotion


def shared_speakers(learnt: JsonMapping, corpus: Corpus) -> tuple[str, ...]:
    """Speakers of a corpus whom a network learnt from; names of two corpora mean nothing without a common recording.

    Args:
        learnt: whom it learnt from, as `nni_emodarts.data.overlap.fingerprint` says it.
        corpus: what it is to be scored on.
    """
    return find_overlap(learnt, corpus, np.arange(len(corpus.manifest)))


def facts_of(manifest: Manifest, shared: Sequence[str]) -> JsonObject:
    """What goes with figures on a corpus, where there is any.

    Args:
        manifest: the corpus's, in the networks' terms.
        shared: speakers whom the networks learnt from.

    Returns:
        Those speakers as `overlap`, and the `scale` of its ratings.
    """
    facts = {"overlap": list(shared), "scale": list(manifest.scale or ())}
    return {key: value for key, value in facts.items() if value}


def refuse_shared(name: str, shared: Sequence[str]) -> None:
    """Refuse to score networks on speakers whom they learnt from.

    Raises:
        OverlapError: there are some.
    """
    if shared:
        raise OverlapError(
            f"{name} shares {len(shared)} speakers with the training ({enumerate_some(shared)}), so that its figures "
            f"would flatter the network. Take their lines out of the manifest, or add --allow-overlap, which marks the "
            f"figures"
        )
