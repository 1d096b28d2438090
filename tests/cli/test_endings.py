"""Commands that a signal ends, as a person or a batch system sends it: real processes, exit codes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process_groups import group_lives, wait_until

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder

_ENDLESS = ("--set", "search.epochs=5000", "--set", "retrain.epochs=5000", "--set", "retrain.epoch_steps=2")


def _begin(log: Path, *words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "nni_emodarts", *map(str, words)]
    with log.open("wb") as file:
        # A shell in the background ignores Ctrl+C, and what it starts does so, too.
        return subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip


def _commands(manifest: Path, config: ExperimentConfig, out: Path) -> dict[str, tuple[list[object], str]]:
    """Each command, and what it says when it works."""
    RunFolder(out).write_json("architecture.json", random_architecture(config.space, 4, (1, 40), 0).to_dict())
    chosen = ["--manifest", manifest, "--preset", "tiny", "--protocol", "kfold:3", *_ENDLESS]
    return {
        "search": (["search", *chosen, "--strategy", "darts", "--out", out / "search"], "search: "),
        "retrain": (
            ["retrain", *chosen, "--architecture", out, "--folds", "0", "--allow-overlap", "--out", out / "retrain"],
            "networks: 0/1",
        ),
        "benchmark": (
            ["benchmark", *chosen, "--methods", "cnn_lstm", "--name", "b", "--workers", 2, "--out", out / "figures",
             "--runs", out / "runs"],
            "cells: 0/3",
        ),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "sent", "times"),
    [
        ("search", signal.SIGTERM, 1),
        ("search", signal.SIGINT, 1),
        ("retrain", signal.SIGTERM, 1),
        ("benchmark", signal.SIGTERM, 1),
        ("benchmark", signal.SIGINT, 2),
    ],
)
def test_a_command_says_that_it_was_ended(
    command: str, sent: signal.Signals, times: int, small_manifest: Path, fast_config: ExperimentConfig, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    words, works = _commands(small_manifest, fast_config, out)[command]
    process = _begin(tmp_path / "log", *words)
    try:
        wait_until(lambda: works in (tmp_path / "log").read_text(), 90)
        time.sleep(2)  # into the training
        assert process.poll() is None, (tmp_path / "log").read_text()
        began = time.monotonic()
        for number in range(times):
            time.sleep(0.3 * bool(number))
            os.killpg(process.pid, sent) if sent == signal.SIGINT else process.send_signal(sent)
        process.wait(30)
        said = (tmp_path / "log").read_text()
        assert process.returncode == 128 + sent or (times > 1 and process.returncode == -sent), said
        assert time.monotonic() - began < 10  # 5 on a machine with nothing else to do
        assert "Traceback" not in said
        wait_until(lambda: not group_lives(process.pid), 5)
    finally:
        if group_lives(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
