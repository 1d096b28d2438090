"""Commands of the benchmarks answer by their names of today and by those that documents gave earlier."""

import runpy
import sys
from importlib import import_module
from pathlib import Path

import pytest

EARLIER = {
    "results": "evidence",
    "ablations": "evidence",
    "results_document": "pages",
    "performance_document": "pages",
    "corpus_size": "speed",
    "deploy": "speed",
    "features": "speed",
    "first_answer": "speed",
    "limits": "speed",
    "loading": "speed",
    "search": "speed",
    "search_options": "speed",
    "start_up": "speed",
    "supernet": "speed",
}
NEW = ("front_ends", "manager", "plan", "processes")
"""Commands that never had another name."""


@pytest.mark.parametrize(("name", "room"), EARLIER.items())
def test_a_command_answers_by_both_names(
    name: str, room: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as left:
        import_module(f"benchmarks.{room}.{name}").main()
    today = capsys.readouterr().out
    assert left.value.code == 0
    assert "--help" in today
    monkeypatch.delitem(sys.modules, f"benchmarks.{room}.{name}")  # runpy warns of a module that it is to run again
    with pytest.raises(SystemExit) as left:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    assert left.value.code == 0
    assert capsys.readouterr().out == today


def test_every_command_of_today_has_its_earlier_name() -> None:
    folder = Path(import_module("benchmarks").__path__[0])
    commands = {
        file.stem: file.parent.name
        for file in folder.glob("*/*.py")
        if '__name__ == "__main__"' in file.read_text() and hasattr(import_module(_module(file)), "main")
    }
    assert {name: room for name, room in commands.items() if name not in NEW} == EARLIER


def _module(file: Path) -> str:
    return f"benchmarks.{file.parent.name}.{file.stem}"
