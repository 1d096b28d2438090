"""What is wrong with a name or a section, in words."""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from reprlib import Repr
from typing import TypeVar, get_args

from pydantic import Tag
from pydantic_core import ErrorDetails

from nni_emodarts.config.sections import NO_NUMBER, Section

_KNOWN = 50
"""Names that a message lists."""
_COMPARED = 10_000
"""Names that one is compared with."""
_LONG = 120
"""Letters of a name or value that a message shows."""
_FAULTS = 20
"""Faults that a message lists before it only counts."""
Fault = TypeVar("Fault")
_EXPONENT = re.compile(r"[-+]?\d[\d_]*(\.\d*)?[eE][-+]?\d+")

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = _LONG
_short.maxdict = _short.maxlist = _short.maxtuple = 6


def shorten(value: object) -> str:
    """A value as messages show it: a file may hold any amount of it."""
    return _short.repr(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """A tail for a message: the nearest known names, then all of them."""
    name, known = name[:_LONG], sorted(each[:_LONG] for each in known)
    cased = [each for each in known if each.casefold() == name.casefold()]  # all its letters may differ
    close = cased or difflib.get_close_matches(name, known[:_COMPARED], n=2)
    hint = f"; did you mean {' or '.join(close)}?" if close else ";"
    more = f" and {len(known) - _KNOWN} more" if len(known) > _KNOWN else ""
    return f"{hint} known: {', '.join(known[:_KNOWN])}{more}"


def enumerate_faults(head: str, faults: Sequence[Fault], words: Callable[[Fault], str] = str) -> str:
    """A message of all faults, the first of them in words: a line each behind what has them."""
    counted = "has a fault" if len(faults) == 1 else f"has {len(faults)} faults"
    more = [f"  and {len(faults) - _FAULTS} more"] if len(faults) > _FAULTS else []
    return "\n".join([f"{head} {counted}:", *(f"  {words(fault)}" for fault in faults[:_FAULTS]), *more])


def describe_fault(fault: ErrorDetails, root: type[Section]) -> str:
    """A fault of a `ValidationError` in words: where, what, what is allowed.

    Args:
        fault: of the error's `errors()`.
        root: the section that was validated.
    """
    location = [str(part)[:_LONG] for part in fault["loc"] if part != "[key]"]
    tags = {place + 1 for place, part in enumerate(fault["loc"]) if isinstance(part, int)}  # kinds of a list's sections
    name = ".".join(part for place, part in enumerate(location) if place not in tags)
    if fault["type"] == "extra_forbidden":
        return f"{name}: unknown key{nearest(location[-1], _keys_at(location[:-1], root))}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{name}.{message}" if name else message
    hint = _how_yaml_read(fault["type"], fault["input"])
    return f"{name}: {shorten(fault['input'])} is not allowed: {message[0].lower()}{message[1:]}{hint}"


def _how_yaml_read(expected: str, value: object) -> str:
    """What a person may have written that YAML made this value of, and how to write it."""
    wants_text = expected in ("string_type", "literal_error", "invalid_key")
    if isinstance(value, bool) and expected != "bool_parsing":
        words = "yes, on and true" if value else "no, off and false"
        remedy = "put the word in quotes" if wants_text else "write the number"
        return f" (YAML reads {words} as {value}; {remedy})" if wants_text or expected == NO_NUMBER else ""
    if isinstance(value, int | float) and wants_text:
        return " (YAML reads it as a number; put it in quotes)"
    if value is None:
        return " (nothing stands there, or null or ~; fill it in, or leave out the key)"
    if isinstance(value, dict) and wants_text:
        return " (YAML reads `: ` as a key and its value; put the whole text in quotes)"
    if isinstance(value, str) and expected == "tuple_type":
        return " (write a list, such as [a, b])"
    if isinstance(value, str) and expected in ("int_parsing", "float_parsing") and _EXPONENT.fullmatch(value):
        return f" (YAML reads {value} as text; write {_plain(value)})"
    return ""


def _plain(number: str) -> str:
    """A number with an exponent as YAML takes it for one; a whole one without."""
    value = float(number.replace("_", ""))
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    digits, exponent = re.split("[eE]", number)
    return f"{digits if '.' in digits else digits + '.0'}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _keys_at(location: Sequence[str], root: type[Section]) -> list[str]:
    section, parts = root, list(location)
    while parts:
        field = section.model_fields.get(parts.pop(0))
        found = {} if field is None else _sections(field.annotation)
        if "" not in found and len(parts) >= 2:  # of a list: the place in it, then the kind of what stands there
            found = {"": found[parts[1]]} if parts[1] in found else {}
            parts = parts[2:]
        if "" not in found:
            return []
        section = found[""]
    return list(section.model_fields)


def _sections(annotation: object, tag: str = "") -> dict[str, type[Section]]:
    """The sections that a field may hold: by tag those of a list, else one without."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return {tag: annotation}
    parts = get_args(annotation)
    tag = next((part.tag for part in parts if isinstance(part, Tag)), tag)
    return {name: section for part in parts for name, section in _sections(part, tag).items()}
