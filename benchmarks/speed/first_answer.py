"""`python -m benchmarks.speed.first_answer`: from the start of a process to the emotion of a first clip of 3 s.

The program of docs/deploy.md needs numpy, onnxruntime and soundfile alone; an environment that holds nothing else:

    python -m venv bare && bare/bin/pip install numpy onnxruntime soundfile
    python -m benchmarks.speed.first_answer --python bare/bin/python
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.speed.deploy import CLASSES, SECONDS, reference
from benchmarks.speed.measuring import write_figures
from nni_emodarts.deploy.export import export_network

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
GOAL = 1.5
"""Seconds."""


def program() -> str:
    """What docs/deploy.md shows to people who have onnxruntime alone."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return next(block for block in blocks if "InferenceSession" in block)


def main() -> None:
    """Time each way to a first answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment without torch")
    parser.add_argument("--run", help="a run folder, to time PyTorch as well")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    predict = [sys.executable, "-m", "nni_emodarts", "predict"]
    commands = {
        "program of docs/deploy.md, without torch": [arguments.python, "-c", program()],
        "emodarts predict model.onnx": [*predict, "model.onnx", "clip.wav"],
    }
    if arguments.run:
        commands["emodarts predict RUN, by PyTorch"] = [*predict, os.path.abspath(arguments.run), "clip.wav"]  # noqa: PTH100
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder), arguments.preset)
        rows = [_measure(name, command, folder, arguments.repeats) for name, command in commands.items()]
    write_figures(arguments.json, {"preset": arguments.preset, "goal": GOAL, "rows": rows})


def _prepare(folder: Path, preset: str) -> None:
    """An exported network, untrained, and a clip."""
    network = reference(preset, "0")
    rate = network.extractor.sampling_rate
    (folder / "model.onnx").write_bytes(export_network(network, [f"emotion {number}" for number in range(CLASSES)]))
    clip = 0.1 * np.random.default_rng(0).standard_normal(round(SECONDS * rate))
    soundfile.write(folder / "clip.wav", clip, rate)


def _measure(name: str, command: list[str], folder: str, repeats: int) -> dict[str, Any]:
    taken = [_seconds(command, folder) for _ in range(repeats + 1)][1:]  # the first fills caches
    print(f"{name:45} {statistics.median(taken):6.2f} s", flush=True)
    return {"name": name, "seconds": statistics.median(taken), "all_seconds": taken}


def _seconds(command: list[str], folder: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=True)  # noqa: S603 - of main
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
