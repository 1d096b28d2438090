from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from nni_emodarts.runtime.plain_text import markdown, markdown_code, visible

HOSTILE = (
    "\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "\u202egnp.exe", "a\rb", "\ud800",
    "<script>alert(1)</script>", "![x](https://example.org/a.png)", "[a](javascript:alert(1))",
    "<https://example.org>",
    "a | b", "# no heading", "`code`", "**bold**", "_a_", "\\", "&lt;", "line\nbreak", "~~gone~~", "$x$", "- item",
    "1. a",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = visible(text)
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    assert visible(shown) == shown


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("wütend", "怒り", "no_agreement", "क्‍ष", "a\tb\n", "no-one's (3)"):
        assert visible(text) == text
    assert markdown("no_agreement, anger (3) - very") == "no_agreement, anger (3) - very"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.sampled_from("ab_*`[]()<>!|#~\\&;:/.-+1 \n\x1b'\"=")))
def test_a_reader_of_markdown_sees_the_text_alone(text: str) -> None:
    """In a paragraph, in an entry of a list and in a cell, by an independent implementation of Markdown."""
    reader = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    for around, tags in (("x {} y", ["p"]), ("- x {} y", ["ul", "li"])):
        page = Tags()
        page.feed(reader.render(around.format(markdown(text))))
        assert page.tags == tags
        assert " ".join(page.text.split()) == " ".join(f"x {visible(text)} y".split())
    page = Tags()
    page.feed(reader.render(f"| a |\n|---|\n| x{markdown(text)}y |\n"))
    assert (page.tags.count("td"), page.tags.count("th")) == (1, 1)
    assert not {"a", "img", "em", "strong", "code", "s", "script"} & set(page.tags)


@given(st.text(st.sampled_from("ab` \n<>")))
def test_code_stays_code(text: str) -> None:
    page = Tags()
    page.feed(MarkdownIt("commonmark").render(f"x {markdown_code('a' + text + 'b')} y"))
    assert page.tags == ["p", "code"]
