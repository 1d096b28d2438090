"""Whether a network would be scored on people who took part in choosing its architecture."""

from collections.abc import Mapping, Sequence

import numpy as np

from nni_emodarts.data.corpus import Corpus
from nni_emodarts.errors import OverlapError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

# Recordings kept of each speaker: enough to know a corpus again, few enough for a JSON file. Of people without a name
# all are kept, since each may be somebody else.
_PER_SPEAKER = 4
_DIGITS = 16


def fingerprint(corpus: Corpus, rows: np.ndarray) -> JsonObject:
    """What an architecture's origin says of the utterances that a search saw: manifest, speakers, a few recordings."""
    return {
        "manifest": corpus.manifest.digest,
        "speakers": corpus.speakers(rows),
        "recordings": sorted(
            digest
            for speaker, of_speaker in _recordings(corpus, rows).items()
            for digest in sorted(of_speaker)[: _PER_SPEAKER if speaker else None]
        ),
    }


def find_overlap(origin: JsonMapping, corpus: Corpus, rows: np.ndarray) -> tuple[str, ...]:
    """The speakers of some utterances whom a search saw; `?` stands for people without a name.

    Within one manifest names are compared, since several people may speak in one recording. Two manifests that have a
    recording in common, whatever its file is called, are lists of one corpus: there a speaker is known again by a
    recording and by the name, of which the origin holds all. Between other manifests names mean nothing: many corpora
    have a speaker `03`. A corpus that was encoded anew escapes this.

    Args:
        origin: what an architecture says of its search, as `fingerprint` gives it.
        corpus: manifest and features.
        rows: (n,) the utterances that a network is to be scored on.
    """
    heard = set(origin.get("recordings", ()))
    names = set(corpus.speakers(rows)) & set(origin.get("speakers", ()))
    found = {speaker for speaker, digests in _recordings(corpus, rows).items() if digests & heard}
    if origin.get("manifest") == corpus.manifest.digest:
        found = names | (found & {""})
    elif not heard.isdisjoint(digest[:_DIGITS] for digest in corpus.store.digests):
        found |= names
    return tuple(sorted(speaker or "?" for speaker in found))


def changed_since(origin: JsonMapping, noted: JsonMapping, corpus: Corpus) -> bool:
    """Whether recordings of a search's manifest were replaced, mended or skipped since it was made.

    Another manifest is another matter: nothing is said of its recordings.

    Args:
        origin: what an architecture says of its search, as `fingerprint` gives it.
        noted: what the search's folder says of its corpus, of all recordings; empty where it is not known.
        corpus: manifest and features as they are now.
    """
    manifest, recordings = corpus.manifest.digest, corpus.recordings
    if noted.get("manifest") == manifest and noted.get("recordings", recordings) != recordings:
        return True
    there = {digest[:_DIGITS] for digest in corpus.store.digests}
    return origin.get("manifest") == manifest and not there.issuperset(origin.get("recordings", ()))


def unheard(origin: JsonMapping, corpus: Corpus, folds: Sequence[int]) -> list[int]:
    """The folds whose test speakers a search did not hear, where its network's figures are honest."""
    return [index for index in folds if not find_overlap(origin, corpus, corpus.fold(index).test)]


def refuse_overlap(overlaps: Mapping[int, Sequence[str]]) -> None:
    """Refuse folds whose test speakers a search saw.

    Args:
        overlaps: number of a fold -> those of its test speakers.

    Raises:
        OverlapError: there are some.
    """
    bad = {index: speakers for index, speakers in overlaps.items() if speakers}
    if not bad:
        return
    named = "; ".join(f"fold {index}: {', '.join(speakers[:10])}" for index, speakers in bad.items())
    honest = ",".join(str(index) for index in overlaps if index not in bad)
    there = f"name the others only (--folds {honest})" if honest else "retrain on the fold that it was searched on"
    raise OverlapError(
        f"the architecture's search saw test speakers of {len(bad)} of {len(overlaps)} folds ({named}), so that "
        f"their figures would flatter it. Search anew inside each of these folds, {there}, or add --allow-overlap, "
        f"which marks the figures"
    )


def _recordings(corpus: Corpus, rows: np.ndarray) -> dict[str, set[str]]:
    speakers = corpus.manifest.table["speaker"].iloc[rows]
    found: dict[str, set[str]] = {}
    for speaker, digest in zip(speakers, corpus.store.pick(rows).digests, strict=True):
        found.setdefault(str(speaker), set()).add(digest[:_DIGITS])
    return found
