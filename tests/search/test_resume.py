"""A search that is cut off and goes on ends as one that never was."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.run_folder import ALPHAS, RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.task import EmotionTask

SAME = ("architecture.json", "alphas.csv", "history.csv")
OPTIONS: dict[str, list[str]] = {
    "darts": ["warmup_epochs=1", "skip_dropout=0.5", "beta_decay=1", "partial_channels=2"],
    "darts_second_order": ["warmup_epochs=0"],
    "gumbel_darts": ["warmup_epochs=0"],
    "proxyless": ["warmup_epochs=0", "cost.weight=0.1"],
    "random_one_shot": ["samples=3"],
    "enas": ["samples=3", "paths_per_update=2"],
}
SMALL = ["space.cnn_primitives=[skip_connect,avg_pool_3x3,none]", "space.seqnn_primitives=[skip_connect,lstm_1]"]
"""A space whose supernet is quick; what is tested is the same in any other."""


class Cut(BaseException):
    """What stops a search in the middle of a step."""


def configured(manifest: Path, strategy: str, fast: list[str]) -> ExperimentConfig:
    settings = [*fast, *SMALL, "search.epochs=3", "search.epoch_steps=2"]
    settings += [f"search.options.{option}" for option in OPTIONS[strategy]]
    options = {"data.manifest": str(manifest), "data.protocol": "loso", "search.strategy": strategy}
    return load_config("tiny", settings=settings, options=options)


@pytest.mark.parametrize("strategy", ["darts", "random_one_shot"])
def test_a_speaker_adapted_search_that_is_cut_off_draws_what_it_would_have_drawn(
    strategy: str,
    small_manifest: Path,
    small_corpus: Corpus,
    fast_words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = [*fast_words[1::2], "features.normalization=speaker"]
    ends_alike(strategy, configured(small_manifest, strategy, settings), small_corpus, tmp_path, monkeypatch)


def test_a_search_for_both_that_is_cut_off_remembers_the_same_answers(
    small_manifest: Path, fast_words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CCC is taken over answers to earlier batches, too, which a search that goes on must have."""
    config = configured(small_manifest, "darts", [*fast_words[1::2], "data.task=both"])
    ends_alike("darts", config, load_corpus(config), tmp_path, monkeypatch)


def needs_extra(strategy: str) -> Any:
    """The strategy, skipped where the extra that it needs is not installed."""
    missing = not STRATEGIES[strategy].installed
    return pytest.param(strategy, marks=pytest.mark.skipif(missing, reason="needs its extra"))


@pytest.mark.parametrize("strategy", [needs_extra(strategy) for strategy in OPTIONS])
def test_a_search_that_is_cut_off_ends_as_one_that_is_not(
    strategy: str,
    small_manifest: Path,
    small_corpus: Corpus,
    fast_words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends_alike(strategy, configured(small_manifest, strategy, fast_words[1::2]), small_corpus, tmp_path, monkeypatch)


def ends_alike(
    strategy: str, config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that is cut off three times writes what one does that is not."""
    fold = small_corpus.fold(1)
    search(FoldTask(config, small_corpus, fold, 3), RunFolder.claim(tmp_path / "whole"))
    step = EmotionTask.training_step

    def cut_at(epoch: int, index: int) -> Any:
        def step_or_cut(task: EmotionTask, batch: Any, batch_idx: int) -> Any:
            if (task.trainer.current_epoch, batch_idx) == (epoch, index):
                raise Cut
            return step(task, batch, batch_idx)

        return step_or_cut

    for epoch, index in ((0, 1), (1, 0), (2, 1)):  # before any checkpoint, at an epoch's start, in the last epoch
        monkeypatch.setattr(EmotionTask, "training_step", cut_at(epoch, index))
        with pytest.raises(Cut):
            search(FoldTask(config, small_corpus, fold, 3), RunFolder.claim(tmp_path / "cut", resume=True))
    monkeypatch.setattr(EmotionTask, "training_step", step)
    search(FoldTask(config, small_corpus, fold, 3), RunFolder.claim(tmp_path / "cut", resume=True))
    for name in SAME:
        if (tmp_path / "whole" / name).exists() or name != ALPHAS:  # some strategies have no alphas
            assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    with pytest.raises(RunFolderError, match="another seed"):
        search(FoldTask(config, small_corpus, fold, 4), RunFolder.claim(tmp_path / "cut", resume=True))
    changed = replace(small_corpus, manifest=replace(small_corpus.manifest, digest="of other rows"))
    with pytest.raises(RunFolderError, match="another manifest"):  # under the same name: its folds may be others
        search(FoldTask(config, changed, fold, 3), RunFolder(tmp_path / "cut"))


def test_damage_of_a_checkpoint_is_found(
    small_manifest: Path,
    small_corpus: Corpus,
    fast_words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the checksums of its archive, wherever in what it holds a bit is flipped, and however it is cut."""
    task = FoldTask.of(configured(small_manifest, "darts", fast_words[1::2]), small_corpus, 1, 3)
    step = EmotionTask.training_step

    def cut_in_second_epoch(training: EmotionTask, batch: Any, batch_idx: int) -> Any:
        if training.trainer.current_epoch == 1:
            raise Cut
        return step(training, batch, batch_idx)

    monkeypatch.setattr(EmotionTask, "training_step", cut_in_second_epoch)
    with pytest.raises(Cut):
        search(task, RunFolder.claim(tmp_path / "cut"))
    checkpoint = tmp_path / "cut" / "checkpoint.ckpt"
    sound, generator = checkpoint.read_bytes(), np.random.default_rng(0)
    with ZipFile(checkpoint) as archive:
        members = [sound.index(archive.read(each)) for each in archive.infolist() if each.file_size > 64]
    damaged = [sound[: len(sound) // 2], sound[:-1], sound[:100], b""]
    for place in [*members[:8], *generator.choice(members, 8)]:
        bits = bytearray(sound)
        bits[place + int(generator.integers(64))] ^= 1 << int(generator.integers(8))
        damaged.append(bytes(bits))
    for data in damaged:
        checkpoint.write_bytes(data)
        with pytest.raises(RunFolderError, match=r"checkpoint .*checkpoint\.ckpt cannot be read"):
            search(task, RunFolder.claim(tmp_path / "cut", resume=True))
    checkpoint.write_bytes(sound)
    with pytest.raises(Cut):  # it goes on to the epoch that is cut off
        search(task, RunFolder.claim(tmp_path / "cut", resume=True))


@pytest.mark.slow
def test_a_killed_command_goes_on(small_manifest: Path, fast_words: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nni_emodarts", "search", "--preset", "tiny", "--manifest", str(small_manifest)]
    command += [*fast_words, "--set", "search.epochs=3", "--set", "search.epoch_steps=2", "--resume", "--out"]
    whole = subprocess.run([*command, str(tmp_path / "whole")], capture_output=True, text=True, check=True)
    assert "nothing to go on with" in whole.stderr + whole.stdout
    assert "search: 0/3" in whole.stderr
    process = subprocess.Popen([*command, str(tmp_path / "cut")], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("search: 1/3"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "cut" / "metrics.json").exists()
    again = subprocess.run([*command, str(tmp_path / "cut")], capture_output=True, text=True, check=True)
    assert "search: 0/3" not in again.stderr
    for name in SAME:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    finished = subprocess.run([*command, str(tmp_path / "cut")], capture_output=True, text=True, check=True)
    assert "holds a finished search" in finished.stdout
