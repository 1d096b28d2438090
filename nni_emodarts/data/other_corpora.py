"""Corpora that networks are only scored on: their labels in the classes of the networks, and whom both know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nni_emodarts.config import ExperimentConfig, enumerate_faults, nearest
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.joined import corpus_names
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.overlap import find_overlap
from nni_emodarts.data.spelling import match
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ConfigError, ManifestError, OverlapError
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.progress import Progress, silent


@dataclass(frozen=True)
class LabelChoice:
    """What becomes of labels that are none of the networks' classes.

    Attributes:
        merge: label -> the class that it counts as.
        leave_out: labels whose utterances are not scored.
        inherited: labels that counted as a class where the networks were trained, and do so here.
    """

    merge: Mapping[str, str] = field(default_factory=dict)
    leave_out: Sequence[str] = ()
    inherited: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OtherManifest:
    """A manifest in the classes of networks that were trained on another one.

    Attributes:
        name: what figures and files call it.
        manifest: its utterances of these classes.
        left_out: label -> number of utterances that are not scored.
        absent: the classes that it does not have, over which no recall is averaged.
    """

    name: str
    manifest: Manifest
    left_out: Mapping[str, int]
    absent: tuple[str, ...]

    @property
    def notes(self) -> list[str]:
        """What a person should know of its figures."""
        found = [f"{self.name}: {each}" for each in self.manifest.notes]
        if self.left_out:
            listed = enumerate_some(f"{label} ({count})" for label, count in self.left_out.items())
            found.append(f"{self.name}: {sum(self.left_out.values())} utterances are left out: {listed}")
        if self.absent:
            count = len(self.manifest.classes)
            found.append(
                f"{self.name}: no utterance is {' or '.join(self.absent)}; its UAR is the mean recall of "
                f"{count - len(self.absent)} of {count} classes"
            )
        return found


def read_others(paths: Sequence[str | Path], classes: Sequence[str], choice: LabelChoice) -> list[OtherManifest]:
    """Read the manifests that networks are to be scored on.

    Args:
        paths: CSV files.
        classes: the networks' classes.
        choice: what becomes of other labels.

    Raises:
        ManifestError: one cannot be used; it has labels that are neither classes nor counted as one nor left out; or
            what is chosen has no manifest's label.
    """
    read = [read_manifest(path) for path in paths]
    known = {label for manifest in read for label in manifest.table["emotion"]}
    faults = [
        f"{what}: no utterance is {label!r}{nearest(label, known)}"
        for what, labels in (("merge", choice.merge), ("leave-out", choice.leave_out))
        for label in labels
        if label not in known and label not in match([label], known)
    ]
    faults += [
        f"merge: {target!r} is no class of the networks{nearest(target, classes)}"
        for target in choice.merge.values()
        if target not in classes and target not in match([target], classes)
    ]
    if faults:
        raise ManifestError(enumerate_faults("labels of the corpora to score on", faults))
    names = corpus_names([Path(path) for path in paths])
    return [_in_classes(*each, classes, choice) for each in zip(names, paths, read, strict=True)]


def _in_classes(
    name: str, path: str | Path, manifest: Manifest, classes: Sequence[str], choice: LabelChoice
) -> OtherManifest:
    own = manifest.table["emotion"]
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
    kept = manifest.table.assign(emotion=emotion)[~dropped].reset_index(drop=True)
    if kept.empty:
        raise ManifestError(f"manifest {path}: no utterance is left to score on; leave fewer labels out")
    left_out = {str(key): int(count) for key, count in own[dropped].value_counts().items()}
    absent = tuple(label for label in classes if label not in set(kept["emotion"]))
    # its votes are by its own labels; it is scored by the emotion that most agreed on
    return OtherManifest(name, replace(manifest, table=kept, classes=tuple(classes), votes=None), left_out, absent)


def load_other(config: ExperimentConfig, other: OtherManifest, progress: Progress = silent) -> Corpus:
    """The corpus of another manifest, heard as a configuration hears its own.

    Raises:
        BadRecordings: recordings that cannot be used, unless the configuration skips them.
        ConfigError: networks of the configuration tell more than classes.
    """
    if config.data.learns_dimensions:
        raise ConfigError(
            f"data.task is {config.data.task}: only networks that tell classes alone are scored on other corpora"
        )
    return load_corpus(config, other.manifest, progress)


def shared_speakers(learnt: JsonMapping, corpus: Corpus) -> tuple[str, ...]:
    """Speakers of a corpus whom a network learnt from; names of two corpora mean nothing without a common recording.

    Args:
        learnt: whom it learnt from, as `nni_emodarts.data.overlap.fingerprint` says it.
        corpus: what it is to be scored on.
    """
    return find_overlap(learnt, corpus, np.arange(len(corpus.manifest)))


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
