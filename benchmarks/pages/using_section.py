"""The section of docs/PERFORMANCE.md about using a network: time a clip, size, start-up."""

import json
from pathlib import Path
from typing import Any

from benchmarks.pages.markdown import markdown_table, verdict
from benchmarks.speed.deploy import CALLS, SECONDS
from nni_emodarts.models.baselines import ON_MAPS

COMMANDS = {
    "deploy": "benchmarks.speed.deploy",
    "first_answer": "benchmarks.speed.first_answer --python bare/bin/python --run RUN",
}
"""What makes the figures."""
_FORMATS = {"pytorch": "PyTorch", "onnx": "ONNX", "int8": "int8"}


def paragraphs(folder: Path) -> list[str]:
    """The section, once its figures are there.

    Args:
        folder: where the figures lie.
    """
    files = {name: folder / f"{name}.json" for name in COMMANDS}
    if not all(file.is_file() for file in files.values()):
        return []
    figures = {name: json.loads(file.read_text()) for name, file in files.items()}
    commands = "\n".join(f"python -m {words} --json docs/performance/{name}.json" for name, words in COMMANDS.items())
    return ["## Using a network", f"```bash\n{commands}\n```", _text(**figures)]


def _text(deploy: dict[str, Any], first_answer: dict[str, Any]) -> str:
    """The section's text."""
    found = {(row["network"], row["format"]): row for row in deploy["rows"]}
    networks = list(dict.fromkeys(row["network"] for row in deploy["rows"]))
    rows = [_row(network, {name: found[network, name] for name in _FORMATS}) for network in networks]
    clips = markdown_table(
        ["network", "parameters", *(f"{name}, ms" for name in _FORMATS.values()), "ONNX, MB", "int8, MB"], rows
    )
    slowest = max(found[network, "onnx"]["ms"] for network in networks)
    starts = markdown_table(["way", "s"], [[row["name"], f"{row['seconds']:.2f}"] for row in first_answer["rows"]])
    first, goal_ms, goal = first_answer["rows"][0]["seconds"], deploy["goal_ms"], first_answer["goal"]
    return (
        f"Measured on {deploy['machine']['processor']}. "
        f"One clip of {SECONDS:g} s, features included, on one core, preset `{deploy['preset']}`; the median of "
        f"{deploy['repeats']} runs of {CALLS} clips. Networks are untrained, which "
        f"changes neither time nor size. Architectures of the space are drawn at random:\n\n{clips}\n\n"
        f"From the start of a process to the emotion of its first clip of {SECONDS:g} s; the first way is the program "
        f"of [deploy.md](deploy.md) in an environment of numpy, onnxruntime and soundfile alone:\n\n{starts}\n\n"
        "The project's goals, met or not:\n\n"
        + markdown_table(
            ["goal", "at most", "measured", ""],
            [
                ["ONNX, ms a clip, slowest network", f"{goal_ms:g} ms", f"{slowest:.1f} ms", verdict(slowest, goal_ms)],
                ["ONNX, start-up to first answer", f"{goal:g} s", f"{first:.2f} s", verdict(first, goal)],
            ],
        )
    )


def _row(network: str, formats: dict[str, dict[str, Any]]) -> list[str]:
    name = f"`{network}`, by hand" if network in ON_MAPS else f"random, seed {network}"
    sizes = [f"{formats[kind]['bytes'] / 1e6:.2f}" for kind in ("onnx", "int8")]
    return [
        name,
        f"{formats['onnx']['parameters']:,}",
        *(f"{formats[kind]['ms']:.1f}" for kind in _FORMATS),
        *sizes,
    ]
