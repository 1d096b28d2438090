"""docs/tutorial.md, run as printed: each block of commands, in order, in an empty folder."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

TUTORIAL = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text()
LABELS = ("anger", "happiness", "neutral", "sadness")


@dataclass(frozen=True)
class Step:
    commands: str
    shown: str | None
    """What the document says that they print; None where it does not."""


def steps() -> list[Step]:
    """The blocks `bash` (commands), each with the block `text` (their output) that follows it."""
    found: list[Step] = []
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", TUTORIAL, flags=re.MULTILINE | re.DOTALL):
        if language == "bash":
            found.append(Step(body, None))
        elif language == "text":
            assert found[-1].shown is None, body
            found[-1] = Step(found[-1].commands, body)
    return found


def structure(line: str) -> str:
    """A line without what may differ between computers: figures, chosen labels, the architecture's name, widths."""
    line = re.sub(r"\b[0-9a-f]{12}\b", "NAME", line)
    line = re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "0", line)
    line = re.sub(rf"^({'|'.join(LABELS)})\b", "LABEL", line)
    return " ".join(re.sub("[━─]+", "─", line).split())


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder in which every step has run, and what each has printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV") and key != "COLUMNS"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["OMP_NUM_THREADS"] = "1"
    outputs = []
    for step in steps():
        words = ["bash", "-e", "-o", "pipefail", "-c", step.commands]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, step.commands + done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert "Warning" not in done.stderr, done.stderr
        outputs.append(done.stdout)
    return folder, outputs


@pytest.mark.slow
def test_the_commands_print_what_is_shown(printed: tuple[Path, list[str]]) -> None:
    for step, output in zip(steps(), printed[1], strict=True):
        assert step.shown is not None, step.commands
        shown = [structure(line) for line in step.shown.splitlines()]
        real = [structure(line) for line in output.splitlines()]
        if "…" not in shown:
            assert shown == real, step.commands
        else:
            above, below = shown[: shown.index("…")], shown[shown.index("…") + 1 :]
            assert real[: len(above)] == above, step.commands
            assert real[-len(below) :] == below, step.commands


@pytest.mark.slow
def test_the_commands_leave_the_files_that_the_text_names(printed: tuple[Path, list[str]]) -> None:
    folder, _ = printed
    promised = [
        "manifest.csv",
        "searched/architecture.json",
        "retrained/fold_00/seed_1",
        "retrained/predictions.csv",
        "retrained/final/model_card.md",
        "answers.json",
        "model.onnx",
        "model.md",
        "my.yml",
    ]
    for name in promised:
        assert f"`{name}`" in TUTORIAL or name in {"manifest.csv", "my.yml"}, name
        assert (folder / name).exists(), name
    assert "<html" in (folder / "report.html").read_text()[:1000]
    assert pd.read_csv(folder / "manifest.csv", dtype=str).speaker.value_counts().to_dict() == {
        f"0{speaker}": 16 for speaker in range(1, 7)
    }
    tested = pd.read_csv(folder / "retrained" / "predictions.csv", dtype=str)
    assert len(tested) == 16
    assert tested.speaker.unique().tolist() == ["01"]
    assert "/manifest.csv`" in (folder / "retrained" / "final" / "model_card.md").read_text()
    experiment = yaml.safe_load((folder / "my.yml").read_text())
    assert experiment["maxTrialNumber"] == 18


@pytest.mark.slow
def test_the_answers_are_probabilities_and_the_exported_file_gives_the_same(printed: tuple[Path, list[str]]) -> None:
    folder, _ = printed
    answers, exported = (json.loads((folder / f"{name}.json").read_text()) for name in ("answers", "answers_onnx"))
    assert [answer["file"] for answer in answers] == sorted(
        f"new/0{n}_{label}_01.flac" for n in (1, 2) for label in LABELS
    )
    for answer, other in zip(answers, exported, strict=True):
        assert answer["file"] == other["file"]
        probabilities = answer["probabilities"]
        assert tuple(probabilities) == LABELS
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert all(0 <= value <= 1 for value in probabilities.values())
        assert answer["emotion"] == max(probabilities, key=probabilities.get)
        assert other["probabilities"] == pytest.approx(probabilities, abs=1e-3)
    # It has learned something: of guessing, two of eight would be right, and often one label for all.
    assert len({answer["emotion"] for answer in answers}) > 1


def test_the_commands_that_take_hours_have_the_options_that_are_shown(emodarts: Callable[..., tuple[int, str]]) -> None:
    (block,) = re.findall(r"^```sh\n(.*?)^```$", TUTORIAL, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        program, command, *words = line.split()
        assert program == "emodarts"
        code, text = emodarts(command, "--help")
        assert code == 0
        assert all(word in text for word in words if word.startswith("--")), line


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TUTORIAL):
        assert (Path(__file__).parents[1] / "docs" / target).exists(), target
