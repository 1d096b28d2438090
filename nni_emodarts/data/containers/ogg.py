"""Ogg: pages, of which libsndfile reads those of the first logical stream."""

import re
from collections.abc import Iterator

from nni_emodarts.data.containers.flac import walk_flac
from nni_emodarts.data.containers.part import Part, Walk, check_counts, whole
from nni_emodarts.data.containers.view import View

MAGIC = b"OggS"
PAGE = re.compile(MAGIC)
HEADER, SEGMENTS = 27, 255
"""Bytes of a page's header before its table of segments, and of this at most."""
BEGINS = 2
"""Flag of a logical stream's first page."""
FLAC = b"\x7fFLAC"
"""How the first packet of FLAC in Ogg begins: with these, two bytes of version, and two that count headers."""
FLAC_HEADER = 9
FLAC_PAGES = 6
"""Pages that a page of FLAC counts as, since each is a piece that is kept."""


def walk_ogg(view: View) -> Walk:
    """The links of a chain: a stream begins after pages of another. Streams side by side begin together."""
    firsts, bodies = _links(view)
    if not firsts:  # the middle of a stream
        return Walk([whole(view)], len(view))
    ends = [*firsts[1:], len(view)]
    parts: list[Part] = []
    for first, end, body in zip(firsts, ends, bodies, strict=True):
        link = view.cut(first, end)
        parts += _unwrapped(view, body) if body else [whole(link)]
    return Walk(parts, len(view))


def _links(view: View) -> tuple[list[int], list[list[range]]]:
    """Where each link begins, and the pages' bodies of those that hold FLAC."""
    firsts: list[int] = []
    bodies: list[list[range]] = []
    beginning, pages = False, 0
    for place, body, end, begins in _pages(view):
        if begins and not beginning:
            firsts.append(place)
            flac = view.at(body, len(FLAC)) == FLAC
            bodies.append([range(body + FLAC_HEADER, end)] if flac else [])
        elif bodies and bodies[-1]:
            bodies[-1].append(range(body, end))
        beginning = begins
        pages += 1 if not bodies or not bodies[-1] else FLAC_PAGES
        check_counts(pages, len(firsts))
    return firsts, bodies


def _pages(view: View) -> Iterator[tuple[int, int, int, bool]]:
    """Of each page: where it begins, where its body begins, where that ends, and whether a stream begins."""
    place = 0
    while place >= 0:
        head = view.at(place, HEADER + SEGMENTS)
        if len(head) < HEADER:
            return
        if not head.startswith(MAGIC):  # damaged; the decoder goes on at the next page, too
            place = view.find(PAGE, len(MAGIC), place, len(view))
            continue
        body = place + HEADER + head[26]
        end = body + sum(head[HEADER : HEADER + head[26]])
        yield place, body, end, bool(head[5] & BEGINS)
        place = end


def _unwrapped(view: View, bodies: list[range]) -> list[Part]:
    """FLAC without its pages, which libsndfile reads only as its own encoder wraps it."""
    pieces = [piece for body in bodies for piece in view.cut(body.start, body.stop).pieces]
    return [part._replace(mended=True) for part in walk_flac(View(view.stream, pieces)).parts]
