"""YAML as people write it: nothing lost, nothing misread, nothing that fills the memory."""

import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.runtime.reading import UnreadableError
from nni_emodarts.runtime.yaml_reading import MOST_NODES, parse_value, parse_yaml


def refusal(text: str) -> str:
    with pytest.raises(UnreadableError) as caught:
        parse_yaml(text)
    return str(caught.value)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
data = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@given(data, st.booleans())
def test_what_is_written_is_read(value: Any, flow: bool) -> None:
    assert parse_yaml(yaml.safe_dump(value, default_flow_style=flow, sort_keys=False)) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("search: {epochs: 1}\nretrain: {}\nsearch:\n  epochs: 2\n", ["search stands twice (lines 1 and 3)"]),
        ("a:\n  b:\n    - c: 1\n      c: 2\n", ["c stands twice (lines 3 and 4)"]),
        ("a: {b: 1, b: 1}", ["b stands twice on line 1"]),
        ("'a': 1\n\"a\": 2\na: 3\n", ["a stands twice (lines 1 and 2)", "a stands twice (lines 2 and 3)"]),
        ("<<: {a: 1}\n<<: {b: 1}\n", ["<< stands twice (lines 1 and 2)"]),
    ],
)
def test_a_key_that_stands_twice_is_a_fault_with_its_lines(text: str, says: list[str]) -> None:
    message = refusal(text)
    assert all(word in message for word in says), message


def test_merge_keys_are_no_second_keys() -> None:
    text = "base: &base {a: 1, b: 2}\none: {<<: *base, b: 3}\ntwo:\n  <<: [*base]\n  c: 4\n"
    assert parse_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("word", "reading"),
    [("010", "8, an octal"), ("00", "0, an octal"), ("1:30", "base 60"), ("-1:30.5", "base 60"),
     ("2024-05-01", "a date"), ("2001-99-99", "a date"), ("2001-12-14t21:59:43.10-05:00", "a date")],
)  # fmt: skip
def test_what_yaml_takes_for_something_else_is_said_with_its_line(word: str, reading: str) -> None:
    message = refusal(f"a: x\nb: [1, {word}]\n")
    assert "line 2: YAML reads " + word in message
    assert reading in message
    assert f'in quotes ("{word}")' in message
    for quoted in (f'"{word}"', f"'{word}'"):
        assert parse_yaml(f"b: {quoted}") == {"b": word}


@pytest.mark.parametrize("text", ["0", "10", "0x1F", "0b11", "1_000", "-0", "08", "1e-3", "1.5", ".inf", "yes", "~"])
def test_other_words_are_read_as_yaml_has_them(text: str) -> None:
    assert parse_yaml(f"a: {text}") == yaml.safe_load(f"a: {text}")


def bomb(levels: int, width: int) -> str:
    lines = ["l0: &l0 [x, x]"]
    for level in range(1, levels):
        lines.append(f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * width)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb(30, 9), f"more than {MOST_NODES:,} keys and values"),
        (bomb(400, 1).replace("[*", "[y, *"), f"more than {MOST_NODES:,} keys and values"),
        ("a: &a {b: {<<: *a}}", "stands for what it is a part of"),
        ("a: &a [*a]", "stands for what it is a part of"),
        ("\n".join(f"k{number}: 1" for number in range(MOST_NODES)), f"more than {MOST_NODES:,} keys and values"),
        ("[" * 100_000, "more than 50 levels"),
        ("- " * 3000 + "a", "more than 50 levels"),
        ("? " * 3000 + "a", "more than 50 levels"),
    ],
    ids=["bomb", "chain", "merged with itself", "holds itself", "keys", "flow", "block", "keys of keys"],
)
def test_what_would_fill_the_memory_is_refused_before_it_is_built(text: str, says: str) -> None:
    began = time.process_time()
    assert says in refusal(text)
    assert time.process_time() - began < 5


def test_aliases_count_as_what_they_stand_for() -> None:
    text = "a: &a [1, 2]\n" + "".join(f"b{number}: *a\n" for number in range(100))
    assert parse_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "is no YAML: line 1, column 5"),
        ("a:\n\t- b", "line 2, column 1: found character"),
        ("a: 1\n--- b", "line 2"),
        ("\x00", "is no YAML"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: *b", "undefined alias 'b'"),
        ("a: &" + "x" * 10_000 + " 1\nb: *c", "undefined alias"),
    ],
)
def test_text_that_is_no_yaml_is_named_by_line(text: str, says: str) -> None:
    message = refusal(text)
    assert says in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/my #cache", "/my #cache"),
        ("#cache", "#cache"),
        ("  word  ", "word"),
        ("'quoted #1'", "quoted #1"),
        ("[a, b] # two", ["a", "b"]),
        ("3", 3),
        ("", None),
        ("~", None),
        ("{}", {}),
        ("&x y", "&x y"),
        ("!!str 03", "03"),
        ("{a: no}", {"a": False}),
    ],
)
def test_a_word_on_a_command_line_is_kept_whole(text: str, value: Any) -> None:
    assert parse_value(text) == value
