"""Text of others shown as text: in a terminal and in Markdown it can do nothing but be read."""

import re
import unicodedata

_KEPT = "\n\t"
_STEERING = ("Cc", "Cf", "Zl", "Zp", "Cs")
"""Unicode's control and format characters, separators of lines, and halves of characters: an escape sequence begins
with one, and one turns the direction of what follows."""
_JOINERS = "\u200c\u200d\u00ad"
"""Format characters that words of some languages need."""
_MARKUP = re.compile(r"[\\`*\[\]|~#$]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def visible(text: str) -> str:
    """A text whose characters that steer a terminal are written out as numbers; line breaks and tabs stay."""
    return "".join(map(_shown, text)) if not text.isprintable() else text


def _shown(character: str) -> str:
    if character in _KEPT or character in _JOINERS or unicodedata.category(character) not in _STEERING:
        return character
    return character.encode("unicode_escape").decode()


def markdown(text: str) -> str:
    """A text as Markdown on one line: no link, image, table cell, heading, emphasis or HTML comes of it."""
    line = " ".join(visible(text).split())
    return "".join(_ENTITIES.get(character, character) for character in _MARKUP.sub(r"\\\g<0>", line))


def markdown_code(text: str) -> str:
    """A text as code within a line of Markdown."""
    line = " ".join(visible(text).split())
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    blank = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{blank}{line}{blank}{fence}"
