"""Broken runs are refused before anything heavy is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nni_emodarts.errors import EmodartsError
from nni_emodarts.models.readable import check_readable


@pytest.mark.parametrize("name", ["architecture.json", "metrics.json"])
@pytest.mark.parametrize("place", ["", "fold_00/seed_1", "search"])
def test_a_broken_file_is_named_wherever_it_lies(name: str, place: str, tmp_path: Path) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text("{}")
    (folder / "weights.safetensors").write_bytes(b"")
    if place == "search":
        (folder / "alphas.csv").write_text("")
    (folder / name).write_text('{"format": ')
    for text in (str(tmp_path), f"mine={tmp_path}"):
        with pytest.raises(EmodartsError, match=name):
            check_readable([text])


def test_what_is_no_folder_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("nothing")
    check_readable([tmp_path / "table.json", "x1y2z3", "mine=x1y2z3", tmp_path])


@pytest.mark.parametrize("command", ["report", "study", "draw"])
def test_commands_refuse_it_before_torch_is_loaded(command: str, tmp_path: Path) -> None:
    (tmp_path / "architecture.json").write_text('{"format": 1}')
    words = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "nni_emodarts",
        command,
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 2
    assert "no architecture of this package" in done.stderr
    assert "| torch" not in done.stderr
