"""Ogg: pages, of which libsndfile reads those of the first logical stream."""

from nni_emodarts.data.containers.flac import walk_flac
from nni_emodarts.data.containers.part import Part, Walk, check_counts, whole
from nni_emodarts.data.containers.view import View

MAGIC = b"OggS"
HEADER = 27
"""Bytes of a page's header before its table of segments."""
BEGINS = 2
"""Flag of a logical stream's first page."""
FLAC = b"\x7fFLAC"
"""How the first packet of FLAC in Ogg begins: with these, two bytes of version, and two that count headers."""
FLAC_HEADER = 9
FLAC_PAGES = 5
"""Other pages that a page of FLAC counts as, since each is a piece that is kept."""


def walk_ogg(view: View) -> Walk:
    """The links of a chain: a stream begins after pages of another. Streams side by side begin together."""
    firsts, bodies = _links(view)
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
    place, beginning, pages = 0, False, 0
    while place >= 0:
        header = view.at(place, HEADER)
        if not header.startswith(MAGIC):  # damaged; the decoder goes on at the next page, too
            place = view.find(MAGIC, place, len(view))
            continue
        if len(header) < HEADER:
            break
        segments = view.at(place + HEADER, header[26])
        body = place + HEADER + len(segments)
        begins = bool(header[5] & BEGINS)
        if begins and not beginning:
            firsts.append(place)
            bodies.append([])
            if view.at(body, len(FLAC)) == FLAC:
                bodies[-1].append(range(body + FLAC_HEADER, body + sum(segments)))
        elif bodies and bodies[-1]:
            bodies[-1].append(range(body, body + sum(segments)))
        beginning = begins
        place = body + sum(segments)
        pages += 1 + FLAC_PAGES * bool(bodies and bodies[-1])
        check_counts(pages, len(firsts))
    return firsts, bodies


def _unwrapped(view: View, bodies: list[range]) -> list[Part]:
    """FLAC without its pages, which libsndfile reads only as its own encoder wraps it."""
    pieces = [piece for body in bodies for piece in view.cut(body.start, body.stop).pieces]
    return [part._replace(mended=True) for part in walk_flac(View(view.stream, pieces)).parts]
