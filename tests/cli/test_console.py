"""What the console shows of text that is a stranger's."""

import io

import pytest

from nni_emodarts.cli import console


@pytest.mark.parametrize("show", [console.show_line, console.show_note, console.show_error])
def test_labels_cannot_steer_the_terminal(show, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("out", "err"):
        terminal = console._console(stderr=name == "err")
        terminal.file = io.StringIO()
        monkeypatch.setattr(console, name, terminal)
    monkeypatch.setattr(console.show_line, "__defaults__", (None, console.out))
    show("class \x1b]0;owned\x07 and \x1b[2Jmore")
    shown = console.out.file.getvalue() + console.err.file.getvalue()
    assert "\\x1b]0;owned\\x07 and \\x1b[2Jmore" in shown
    assert not {"\x1b", "\x07"} & set(shown)
