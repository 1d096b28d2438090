"""YAML as people write it: within bounds, no key twice, and nothing silently taken for what it does not look like.

YAML 1.1 reads `010` as 8, `1:30` as 90 and `2024-05-01` as a date; of a key that stands twice it keeps the last.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from nni_emodarts.errors import EmodartsError
from nni_emodarts.runtime.reading import KILOBYTE, UnreadableError, read_text

LARGEST_YAML = 512 * KILOBYTE
"""Bytes of a YAML file: PyYAML reads about as much in a second."""
MOST_NODES = 10_000
"""Keys and values of a YAML file, each alias counted as what it stands for."""
DEEPEST = 50
"""Levels of sequences and mappings."""
_SHOWN = 10

_INT, _FLOAT, _DATE = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))
_OCTAL = re.compile(r"[-+]?0[0-7_]+")


class _Fault(yaml.MarkedYAMLError):
    """A bound that is exceeded."""


class _Loader(yaml.SafeLoader):
    """Plain data only; counts what it composes before anything is built of it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.faults: list[str] = []
        self._nodes = self._depth = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node and all below it; an alias is as large as what it stands for."""
        mark, is_alias, before = self.peek_event().start_mark, self.check_event(yaml.AliasEvent), self._nodes
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Fault(problem=f"nests more than {DEEPEST} levels, the most that is read", problem_mark=mark)
        self._count(0 if is_alias else 1, mark)
        node = super().compose_node(parent, index)
        if node is not None and is_alias and node not in self._sizes:
            raise _Fault(problem="an alias stands for what it is a part of; write it out", problem_mark=mark)
        if node is not None:
            self._count(self._sizes[node] if is_alias else 0, mark)
            self._sizes.setdefault(node, self._nodes - before)
        self._depth -= 1
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        """A scalar; numbers and dates that hardly anybody means are faults."""
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        what = _misread(node) if node.style is None else None
        if what is not None:
            shown = f'"{node.value}"'
            self.faults.append(
                f"line {node.start_mark.line + 1}: YAML reads {node.value} as {what}; put it in quotes ({shown}) where "
                f"text is meant, or write the number in another way"
            )
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping; a key that stands twice is a fault."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line, name = key.start_mark.line + 1, (key.tag, key.value)
                if name in lines:
                    first = lines[name]
                    where = f"on line {line}" if line == first else f"(lines {first} and {line})"
                    self.faults.append(f"{_brief(key.value)} stands twice {where}; put both into one")
                lines[name] = line
        return node

    def _count(self, more: int, mark: yaml.Mark) -> None:
        self._nodes += more
        if self._nodes > MOST_NODES:
            problem = f"holds more than {MOST_NODES:,} keys and values, the most that is read; aliases count in full"
            raise _Fault(problem=problem, problem_mark=mark)


def parse_yaml(text: str) -> Any:
    """The plain data of a YAML document.

    Raises:
        UnreadableError: it is no YAML, exceeds a bound, names a key twice, or holds numbers that YAML reads otherwise
            than they look; with lines, as the end of a sentence that begins with the file's name.
    """
    return _parse(text)[1]


def read_yaml_file(path: Path, head: str, remedy: str, kind: type[EmodartsError]) -> Any:
    """The plain data of a YAML file.

    Args:
        path: the file.
        head: what it is and its name, with which a message begins.
        remedy: what to do where it is not there.
        kind: of the errors.

    Raises:
        EmodartsError: of that kind; it cannot be read, or is no YAML as `parse_yaml` takes it.
    """
    try:
        return parse_yaml(read_text(path, LARGEST_YAML))
    except OSError as error:
        raise kind(f"{head}: {error.strerror or error}; {remedy}") from None
    except UnreadableError as error:
        raise kind(f"{head} {error}") from None


def parse_value(text: str) -> Any:
    """A value on a command line: YAML, of which a word is kept whole: ` #` begins no comment in it.

    Raises:
        UnreadableError: as for `parse_yaml`.
    """
    node, data = _parse(text)
    word = text.strip()
    if node is None:
        return word or None
    is_word = isinstance(node, yaml.ScalarNode) and node.style is None and isinstance(data, str)
    return word if is_word and not word.startswith("!") else data


def _parse(text: str) -> tuple[yaml.Node | None, Any]:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if loader.faults:
            more = [f"and {len(loader.faults) - _SHOWN} more"] if len(loader.faults) > _SHOWN else []
            raise UnreadableError("has faults: " + "; ".join([*loader.faults[:_SHOWN], *more]))
        return node, None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        context = f" ({error.context})" if error.context else ""
        head = "" if isinstance(error, _Fault) else "is no YAML: "
        raise UnreadableError(f"{head}{where}{_brief(str(error.problem), 200)}{context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"is no YAML: {_brief(' '.join(str(error).split()), 200)}") from None


def _misread(node: yaml.ScalarNode) -> str | None:
    """What YAML makes of an unquoted scalar that looks like something else; None where it is what it looks like."""
    if node.tag == _DATE:
        return "a date"
    if node.tag in (_INT, _FLOAT) and ":" in node.value:
        return "a number to the base 60"
    if node.tag == _INT and _OCTAL.fullmatch(node.value):
        return f"{int(node.value.replace('_', ''), 8)}, an octal number"
    return None


def _brief(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
