"""A table of architectures: each training once, whatever interrupts it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nni_emodarts.benchmark.table import Table, read_table
from nni_emodarts.benchmark.table.records import TrainingKey
from nni_emodarts.benchmark.table.run import Draws, _claimed, run_table
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError, RunFolderError, UnfitSpeakers
from nni_emodarts.metrics.logits import decode_logits, decode_rows
from nni_emodarts.metrics.scores import uar
from nni_emodarts.training.task import class_weights

DRAWS = Draws(architectures=2, folds=[0, 1], seeds=[1])


def figures(table: Table) -> dict[TrainingKey, dict[str, object]]:
    """All but times."""
    timeless = ({**each.to_data(), "seconds": 0, "cpu_seconds": 0} for each in table)
    return dict(zip(table.trainings, timeless, strict=True))


@pytest.fixture(scope="module")
def made(fast_config: ExperimentConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Table]:
    file = tmp_path_factory.mktemp("table") / "new" / "table.jsonl"
    return file, run_table(fast_config, file, DRAWS)


def test_a_line_says_all_of_a_training(made: tuple[Path, Table], small_corpus: Corpus) -> None:
    _, table = made
    assert [(each.number, each.fold) for each in table] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for each in table:
        fold = small_corpus.fold(each.fold)
        assert each.val_uar is not None
        assert each.rows is not None
        assert each.logits is not None
        rows = decode_rows(each.rows)
        assert rows.tolist() == sorted(fold.validation.tolist())
        answers = decode_logits(each.logits)
        true = small_corpus.manifest.labels[rows]
        assert uar(true, answers.argmax(1), small_corpus.num_classes) == pytest.approx(each.kept, abs=1e-5)
        assert each.test_logits is not None
        tested = small_corpus.manifest.labels[np.sort(fold.test)]
        assert uar(tested, decode_logits(each.test_logits).argmax(1), small_corpus.num_classes) == each.test_uar
        assert np.allclose(np.exp(answers).sum(1), 1, atol=0.01)


def test_what_was_cut_off_is_made_again_to_the_same_figures(
    fast_config: ExperimentConfig, made: tuple[Path, Table], tmp_path: Path
) -> None:
    file, table = made
    lines = file.read_bytes().splitlines(keepends=True)
    cut = tmp_path / "table.jsonl"
    cut.write_bytes(lines[0] + lines[2] + lines[3][:40])
    notes: list[str] = []
    again = run_table(fast_config, cut, DRAWS, note=notes.append)
    assert figures(again) == figures(table)
    assert len(notes) == 1
    assert "line 3 was cut off" in notes[0]
    assert cut.read_bytes().startswith(lines[0] + lines[2])


def test_a_larger_table_begins_with_a_smaller_one(
    fast_config: ExperimentConfig, made: tuple[Path, Table], small_corpus: Corpus
) -> None:
    wanted = replace(DRAWS, architectures=5).wanted(fast_config, small_corpus)
    assert [each.key for each in wanted[:4]] == list(made[1].trainings)
    other = replace(DRAWS, draw_seed=7).wanted(fast_config, small_corpus)
    assert {each.architecture.id for each in other} != {each.architecture for each in made[1]}


def test_other_settings_are_refused(fast_config: ExperimentConfig, made: tuple[Path, Table]) -> None:
    file, _ = made
    other = fast_config.model_copy(update={"retrain": fast_config.retrain.model_copy(update={"mixup": 0.2})})
    with pytest.raises(RunFolderError, match="trainings with other settings"):
        run_table(other, file, DRAWS)
    searched = fast_config.model_copy(update={"search": fast_config.search.model_copy(update={"epochs": 9})})
    assert len(run_table(searched, file, DRAWS)) == 4, "a search has no say in it"


def test_what_another_command_makes_is_left_out(
    fast_config: ExperimentConfig, made: tuple[Path, Table], tmp_path: Path
) -> None:
    import multiprocessing

    file = tmp_path / "table.jsonl"
    file.write_bytes(made[0].read_bytes().splitlines(keepends=True)[0])
    key = list(made[1].trainings)[1]
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe()
    other = context.Process(target=_hold, args=(file, key, theirs))
    other.start()
    assert ours.recv() == "held"
    notes: list[str] = []
    try:
        table = run_table(fast_config, file, replace(DRAWS, architectures=1), note=notes.append)
    finally:
        other.kill()
        other.join()
    assert key not in table.trainings
    assert notes == ["1 trainings are made by another command; this one left them out"]
    with _claimed(file, key) as free:
        assert free, "who died holds nothing"


def _hold(file: Path, key: TrainingKey, pipe: "object") -> None:
    import time

    with _claimed(file, key) as ours:
        pipe.send("held" if ours else "not")  # type: ignore[attr-defined]
        time.sleep(600)


def test_inner_trainings_read_no_test_part(fast_config: ExperimentConfig, tmp_path: Path) -> None:
    table = run_table(fast_config, tmp_path / "t.jsonl", Draws(1, folds=[0], splits=2))
    assert [(each.inner, each.splits, each.test_uar, each.test_logits) for each in table] == [
        (0, 2, None, None),
        (1, 2, None, None),
    ]
    frame = read_table(tmp_path / "t.jsonl").to_frame()
    assert frame["inner"].tolist() == [0, 1]
    assert frame["val_uar"].between(0, 1).all()
    assert set(next(iter(table)).choices) <= set(frame.columns)


def test_a_training_that_diverges_is_a_line_too(
    fast_config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_emodarts.training.task.class_weights", lambda *a: class_weights(*a) * float("nan"))
    table = run_table(fast_config, tmp_path / "t.jsonl", Draws(1, folds=[0]))
    (training,) = table
    assert "nan" in str(training.error)
    assert training.kept is None
    assert table.to_frame().empty


def test_more_architectures_than_there_are(fast_config: ExperimentConfig, tmp_path: Path) -> None:
    space = {
        "cnn_cells": 1, "cnn_nodes": 1, "reduction_cells": (), "seqnn_cells": 1, "seqnn_nodes": 1,
        "cnn_primitives": ("skip_connect",), "seqnn_primitives": ("lstm_1",),
    }  # fmt: skip
    small = fast_config.model_copy(update={"space": fast_config.space.model_copy(update=space)})
    with pytest.raises(ConfigError, match="9 are more than the"):
        run_table(small, tmp_path / "t.jsonl", Draws(9, folds=[0]))


def test_an_architecture_that_is_named_is_trained_where_its_search_has_heard_nobody(
    fast_config: ExperimentConfig, small_corpus: Corpus, made: tuple[Path, Table], tmp_path: Path
) -> None:
    _, table = made
    drawn = Draws(1).wanted(fast_config, small_corpus)[0].architecture
    task = FoldTask(fast_config, small_corpus, small_corpus.fold(0), 1)
    searched = replace(drawn, origin=task.origin())
    (training,) = run_table(fast_config, tmp_path / "t.jsonl", Draws((searched,), folds=[0, 1]))
    assert training.fold == 0, "the search on fold 0 has seen the speakers that fold 1 tests"
    assert figures(Table({training.key: training}))[training.key] == figures(table)[training.key], "as if it were drawn"
    other = fast_config.space.model_copy(update={"cnn_channels": fast_config.space.cnn_channels * 2})
    with pytest.raises(ConfigError, match="none of the space"):
        Draws((searched,)).wanted(fast_config.model_copy(update={"space": other}), small_corpus)


def test_one_of_both_is_named(tmp_path: Path, emodarts: Callable[..., tuple[int, str]]) -> None:
    code, said = emodarts("table", tmp_path / "t.jsonl", "--manifest", "synthetic")
    assert code == 2
    assert "--architectures N" in said


def test_no_such_table(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such file"):
        read_table(tmp_path / "missing.jsonl")
    (tmp_path / "odd.jsonl").write_text(json.dumps({"architecture": "x"}) + "\n")
    assert "holds no training" in read_table(tmp_path / "odd.jsonl").damaged[0]


def test_speakers_that_are_unfit_are_refused_before_recordings_are_read(
    fast_config: ExperimentConfig, tmp_path: Path
) -> None:
    names = [f"{speaker}{number}" for speaker in "abcdefgh" for number in range(6)]
    for name in names:
        (tmp_path / f"{name}.wav").touch()
    lines = [f"{name}.wav,{'joy' if name[0] in 'abcd' else 'anger'},{name[0]}" for name in names]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(["file,emotion,speaker", *lines]) + "\n")
    config = fast_config.model_copy(
        update={
            "data": fast_config.data.model_copy(update={"manifest": str(manifest)}),
            "features": fast_config.features.model_copy(update={"normalization": "speaker"}),
        }
    )
    with pytest.raises(UnfitSpeakers, match=r"training speakers show one emotion"):
        run_table(config, tmp_path / "table.jsonl", DRAWS)
