"""What the console shows of text that is somebody else's."""

import io

from rich.table import Table

from nni_emodarts.cli import console


def test_labels_cannot_steer_the_terminal() -> None:
    hostile = "class \x1b]0;owned\x07 and \x1b[2Jmore"
    terminal = console._console()
    terminal.file = io.StringIO()
    terminal.print(hostile, markup=False)
    table = Table("a column")
    table.add_row(hostile)
    terminal.print(table)
    shown = terminal.file.getvalue()
    assert shown.count("\\x1b]0;owned") == 2
    assert not {"\x1b", "\x07"} & set(shown)
