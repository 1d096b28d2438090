"""Containers of one header before the samples: AU, and NIST's SPHERE of which corpora of speech are made."""

import re
from typing import Literal

from nni_emodarts.data.containers.chunks import CLOSE, STRAY, UNKNOWN, is_padding
from nni_emodarts.data.containers.part import Part, Walk, whole
from nni_emodarts.data.containers.view import View

AU: dict[bytes, Literal["big", "little"]] = {b".snd": "big", b"dns.": "little"}
"""First bytes -> order of the header's bytes."""
NIST = b"NIST_1A\n"
LARGEST_HEADER = 2**16
_FIELD = re.compile(rb"^(sample_count|channel_count|sample_n_bytes) -i (\d{1,18})\s*$", re.MULTILINE)


def walk_au(view: View) -> Walk:
    """An AU file: its header states where the samples begin and how many bytes they have."""
    order = AU[view.at(0, 4)]
    head = view.at(0, 12)
    first, stated = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))
    there = len(view) - first
    if len(head) < 12 or there <= 0:
        return Walk([whole(view)], len(view))
    unknown = any(stated in sizes for sizes in UNKNOWN)
    end = len(view) if unknown or stated >= there else _end(view, first, stated)
    if end is not None:
        share = None if unknown or stated - there < CLOSE else stated / there
        return Walk([Part(view.cut(0, end).pieces, share=share)], end)
    mended = view.patched({8: b"\xff" * 4})
    return Walk([Part(mended.pieces, True, stated / there)], len(view))


def walk_nist(view: View) -> Walk:
    """A SPHERE file. libsndfile reads all that follows the header, whatever that states."""
    size = view.at(len(NIST), 8).strip()
    first = min(int(size), LARGEST_HEADER) if size.isdigit() else 0
    fields = {name: int(value) for name, value in _FIELD.findall(view.at(0, first))}
    there = len(view) - first
    if len(fields) < 3 or there <= 0:
        return Walk([whole(view)], len(view))
    stated = fields[b"sample_count"] * fields[b"channel_count"] * fields[b"sample_n_bytes"]
    end = len(view) if stated >= there else _end(view, first, stated)
    if end is not None:
        share = stated / there if stated - there >= CLOSE else None
        return Walk([Part(view.cut(0, min(end, first + stated)).pieces, end > first + stated, share)], end)
    return Walk([Part(view.pieces, share=stated / there)], len(view))


def _end(view: View, first: int, stated: int) -> int | None:
    """Where the samples' padding ends, and another recording may begin; None where more samples follow."""
    place = first + stated
    if view.at(place, 4) == view.at(0, 4):
        return place
    few = stated and len(view) - place < STRAY
    return len(view) if few or is_padding(view, place) else None
