"""What is wrong with a name or a section, in words."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from nni_emodarts.config.sections import Section


def nearest(name: str, known: Iterable[str]) -> str:
    """A tail for a message: the nearest known names, then all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=2)
    hint = f"; did you mean {' or '.join(close)}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"


def describe_fault(fault: Any, root: type[Section]) -> str:
    """A fault of a `ValidationError` in words: where, what, what is allowed.

    Args:
        fault: of the error's `errors()`.
        root: the section that was validated.
    """
    location = [str(part) for part in fault["loc"]]
    name = ".".join(location)
    if fault["type"] == "extra_forbidden":
        return f"{name}: unknown key{nearest(location[-1], _keys_at(location[:-1], root))}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{name}.{message}" if name else message
    return f"{name}: {fault['input']!r} is not allowed: {message[0].lower()}{message[1:]}"


def _keys_at(location: Sequence[str], root: type[Section]) -> list[str]:
    section: Any = root
    for part in location:
        field = section.model_fields.get(part)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            return []
        section = field.annotation
    return list(section.model_fields)
