import json
import os
import shutil
import signal
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from finished_cells import cell_in, put, table_at
from made_up_cells import make_up_cell, noted_budget
from safetensors.torch import load_file
from sklearn.metrics import recall_score

from nni_emodarts.benchmark import (
    Cell,
    Method,
    Plan,
    benchmark,
    cells,
    compare,
    computing,
    jobs,
    settings_digest,
)
from nni_emodarts.benchmark.cells import settled
from nni_emodarts.benchmark.computing import compute_cell
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import CellError, ConfigError, OverlapError, RunFolderError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.summaries import BenchmarkSummary
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import Baseline, build_baseline
from nni_emodarts.models.costs import count_flops
from nni_emodarts.models.space.draws import draw_architectures
from nni_emodarts.runtime.cell_table import CellKey
from nni_emodarts.runtime.environment import threads_each
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.one_shot import train as one_shot


def test_a_summary_is_that_of_the_pooled_predictions(compared: tuple[Path, BenchmarkSummary]) -> None:
    folder, summary = compared
    assert json.loads((folder / "out" / "small.json").read_text()) == summary.to_data()
    for method in summary.methods:
        files = sorted((folder / "runs" / method.name).glob("*/fold_*/seed_1/predictions.csv"))
        table = pd.concat([pd.read_csv(file, dtype=str) for file in files])
        assert len(files) == 2
        assert len(table) == method.utterances == 16
        recall = recall_score(table["emotion"], table["predicted"], average="macro", zero_division=0)
        assert method.uar_mean == pytest.approx(recall)
        low, high = method.uar_interval
        assert low <= recall <= high
        assert method.speakers == 2
        assert method.uar_std is None
        assert method.cpu_seconds > method.search_cpu_seconds >= 0
    assert [found.method for found in summary.comparisons] == ["cnn_lstm"], "darts is the reference"
    ours, other = summary.methods
    assert other.uar_mean - ours.uar_mean == pytest.approx(summary.comparisons[0].difference)
    assert ours.search_cpu_seconds > 0 == other.search_cpu_seconds


def test_the_search_of_a_cell_never_saw_its_test_speakers(compared: tuple[Path, BenchmarkSummary]) -> None:
    for fold in (0, 1):
        cell = cell_in(compared[0] / "out", "darts", fold)
        assert cell.architecture is not None
        assert not set(cell.speakers) & set(cell.architecture["origin"]["speakers"])


def test_finished_cells_are_kept_and_missing_ones_computed(
    compared: tuple[Path, BenchmarkSummary],
    config: ExperimentConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = compared[1]
    folder = shutil.copytree(compared[0], tmp_path / "copy")
    assert len(table_at(folder / "out").drop([CellKey("cnn_lstm", 1, 1)])) == 1
    computed = []
    compute = jobs.compute_cell

    def noted(task: FoldTask, method: Method, *words: Any, **more: Any) -> FinishedCell:
        computed.append((method, task.fold.index))
        return compute(task, method, *words, **more)

    monkeypatch.setattr(jobs, "compute_cell", noted)
    plan = Plan(config, [Method("darts"), Method("cnn_lstm")], [0, 1], [1])
    again = compare("small", plan, folder / "out", folder / "runs")
    assert computed == [(Method("cnn_lstm"), 1)]
    assert [method.uar_mean for method in again.methods] == [method.uar_mean for method in summary.methods]


def test_hand_designed_networks_are_trained_side_by_side(config: ExperimentConfig, tmp_path: Path) -> None:
    """Two processes with half of the threads each compute the cells, each of which holds its own network."""
    methods = [Method(name) for name in ("cnn", "rnn", "lstm", "cnn_lstm_attention")]
    reported: list[str] = []
    found = benchmark(
        Plan(config, methods, [0], [1]), table_at(tmp_path), tmp_path / "runs", workers=2,
        tell=lambda number, count, figures: reported.append(f"{number} of {count}: {figures.method}"),
    )  # fmt: skip
    assert [line.split(":")[0] for line in reported] == ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert {line.split(": ")[1] for line in reported} == {method.name for method in methods}
    for method, summary in zip(methods, found, strict=True):
        cell = cell_in(tmp_path, method.name)
        assert cell.environment["threads"] == threads_each(2)
        (weights,) = (tmp_path / "runs" / method.name).rglob("weights.safetensors")
        network = build_baseline(Baseline(method.name), 4, config.features.input_shape)
        network.load_state_dict(load_file(weights))
        assert summary.parameters == cell.parameters == sum(part.numel() for part in network.parameters())
        assert summary.flops == count_flops(network, config.features.input_shape, 51)


def test_a_hand_designed_network_has_the_dropout_and_the_speakers_of_the_others(
    config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    class EnoughError(Exception):
        pass

    def retrain_fold(task: FoldTask, design: Baseline, *_: Any, **__: Any) -> None:
        seen.extend((design, task.fold, task.config.retrain))
        raise EnoughError

    monkeypatch.setattr(computing, "retrain_fold", retrain_fold)
    data = config.model_dump(mode="json")
    data["space"]["dropout"] = 0.37
    changed = ExperimentConfig.model_validate(data)
    with pytest.raises(EnoughError):
        compute_cell(FoldTask.of(changed, small_corpus, 2, 1), Method("lstm"), RunFolder(tmp_path))
    design, fold, recipe = seen
    assert design == Baseline("lstm", 0.37)
    assert recipe == config.retrain
    for part in ("train", "validation", "test"):
        assert getattr(fold, part).tolist() == getattr(small_corpus.fold(2), part).tolist()


def test_cells_of_other_settings_are_refused(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path
) -> None:
    data = config.model_dump(mode="json")
    data["retrain"]["label_smoothing"] = 0.3
    changed = ExperimentConfig.model_validate(data)
    table = table_at(compared[0] / "out")
    place = table.read().places[CellKey("cnn_lstm", 0, 1)]
    where = rf"small\.jsonl, line {place.line} \(cnn_lstm, fold 0, seed 1\)"
    says = rf"{where} was computed with other settings .* another folder by --out"
    with pytest.raises(RunFolderError, match=says):
        benchmark(Plan(changed, [Method("cnn_lstm")], [0], [1]), table, tmp_path)


def test_a_line_that_holds_no_cell_is_named_and_its_cell_computed_again(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(compared[0], tmp_path / "copy"))
    table = table_at(folder / "out")
    lines = table.file.read_bytes().splitlines(keepends=True)
    table.file.write_bytes(b"".join([lines[0], b"{}\n", *lines[1:3], lines[3][:-90]]))
    computed: list[CellKey] = []

    def compute(task: FoldTask, method: Method, *words: Any, **more: Any) -> FinishedCell:
        computed.append(CellKey(method.name, task.fold.index, task.seed))
        return make_up_cell(task, method, *words, **more)

    monkeypatch.setattr(jobs, "compute_cell", compute)
    notes: list[str] = []
    plan = Plan(config, [Method("darts"), Method("cnn_lstm")], [0, 1], [1])
    benchmark(plan, table, folder / "runs", note=notes.append)
    cut = json.loads(lines[3])
    assert computed == [CellKey(cut["method"], cut["fold"], cut["seed"])]
    assert [note.split(" ", 4)[:4] for note in notes] == [
        [f"{table.file},", "line", "2", "is"],
        [f"{table.file},", "line", "5", "was"],
    ]
    assert all(note.endswith("the cell counts as missing") for note in notes)
    assert f'"method":"{cut["method"]}"' in notes[1], "how it began"
    assert table.file.read_bytes().splitlines()[:4] == [line.rstrip() for line in (lines[0], b"{}", *lines[1:3])]
    assert len(table.read().cells) == 4


def test_cells_that_were_kept_as_files_are_taken_over(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, notes = table_at(tmp_path), []
    table.folder.mkdir(parents=True)
    for cell in table_at(compared[0] / "out").read().cells.values():
        name = f"{cell.method}-fold_{cell.fold:02d}-seed_{cell.seed}.json"
        (table.folder / name).write_text(json.dumps(cell.to_data(), indent=1) + "\n")
    monkeypatch.setattr(jobs, "compute_cell", None)  # nothing may be computed
    plan = Plan(config, [Method("darts"), Method("cnn_lstm")], [0, 1], [1])
    summary = compare("small", plan, tmp_path, tmp_path / "runs", note=notes.append)
    assert summary == compared[1]
    assert notes == [f"4 cells that were files of their own are lines of {table.file} now"]
    assert not table.folder.exists()
    assert len(table.file.read_bytes().splitlines()) == 4


def test_what_another_command_has_finished_meanwhile_stays(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, notes = table_at(tmp_path), []

    def overtaken(*words: Any, **more: Any) -> FinishedCell:
        cell = make_up_cell(*words, **more)
        table.append(cell.model_copy(update={"seconds": 1.0, **other}))
        return cell

    monkeypatch.setattr(jobs, "compute_cell", overtaken)
    plan = Plan(config, [Method("cnn")], [0], [1])
    other: dict[str, str] = {}
    benchmark(plan, table, tmp_path / "runs", note=notes.append)
    assert cell_in(tmp_path, "cnn").seconds == 1.0
    assert notes == ["cnn, fold 0, seed 1 was finished by another command meanwhile, whose figures stay"]
    other = {"settings": "others"}
    with pytest.raises(
        RunFolderError, match="holds cnn, fold 0, seed 2 by now, of another command with other settings"
    ):
        benchmark(Plan(config, [Method("cnn")], [0], [2]), table, tmp_path / "runs")


def test_a_method_is_named_once(config: ExperimentConfig, tmp_path: Path) -> None:
    methods = [Method("cnn"), Method("cnn_lstm"), Method("cnn")]
    with pytest.raises(ConfigError, match="methods name cnn twice"):
        compare("small", Plan(config, methods, [0], [1]), tmp_path / "out", tmp_path / "runs")


def test_a_folder_that_cannot_be_made_is_reported_before_anything_is_computed(
    config: ExperimentConfig, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunFolderError, match="is a file"):
        benchmark(Plan(config, [Method("cnn")], [0], [1]), table_at(tmp_path), tmp_path / "file")
    with pytest.raises(RunFolderError, match="file/cells"):
        benchmark(Plan(config, [Method("cnn")], [0], [1]), table_at(tmp_path / "file"), tmp_path / "runs")


def test_cells_of_other_recordings_are_not_mixed(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(compared[0] / "out", tmp_path / "out"))
    table = table_at(folder)
    put(table, cell_in(folder, "darts"), recordings="others")
    both = [Method("darts"), Method("cnn_lstm")]
    with pytest.raises(RunFolderError, match="computed from other recordings"):
        benchmark(Plan(config, both, [0, 1], [1]), table, tmp_path / "runs")
    table.drop([key for key in table.read().cells if key.fold == 1])
    with pytest.raises(RunFolderError, match=r"\(darts, fold 0, seed 1\) was computed from other recordings"):
        benchmark(Plan(config, [Method("darts")], [0, 1], [1]), table, tmp_path / "runs")
    assert {key.fold for key in table.read().cells} == {0}


def test_what_was_recorded_is_known_by_content(small_corpus: Corpus) -> None:
    digests = small_corpus.store.digests
    assert small_corpus.recordings == sha256("".join(digests).encode()).hexdigest()[:12]
    fewer = replace(small_corpus, store=small_corpus.store.pick(np.arange(1, len(digests))))
    assert fewer.recordings != small_corpus.recordings


def test_a_search_goes_on_where_its_corpus_lies_now(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate = one_shot.Recorder.on_train_epoch_end
    epochs = []

    def stop(self: Any, trainer: Any, module: Any) -> None:
        validate(self, trainer, module)
        epochs.append(trainer.current_epoch)
        if len(epochs) == 1:
            raise KeyboardInterrupt

    def run(**changed: Any) -> None:
        data = config.model_dump(mode="json")
        data["search"]["epochs"] = 2
        data["data"] |= changed
        plan = Plan(ExperimentConfig.model_validate(data), [Method("darts")], [0], [1])
        benchmark(plan, table_at(tmp_path), tmp_path / "runs")

    monkeypatch.setattr(one_shot.Recorder, "on_train_epoch_end", stop)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run()
    run(workers=1, cache=str(tmp_path / "cache"))
    assert epochs == [0, 1], "the first epoch is not trained again"


def test_a_cell_that_fails_keeps_no_other_from_being_computed(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "compute_cell", make_up_cell)
    monkeypatch.setattr(jobs, "budget_here", noted_budget)
    monkeypatch.setattr("made_up_cells.FAILING", {Cell(Method("darts"), 1, 1)})
    plan = Plan(config, [Method("darts"), Method("random_search"), Method("cnn")], [0, 1], [1])
    table = table_at(tmp_path)
    with pytest.raises(CellError) as reported:
        benchmark(plan, table, tmp_path / "runs")
    assert str(reported.value).splitlines() == [
        "2 of 6 cells failed, the others are finished:",
        "  darts, fold 1, seed 1: planted",
        "  random_search, fold 1, seed 1: the search that sets its budget failed",
    ]
    assert len(table.read().cells) == 4
    monkeypatch.setattr("made_up_cells.FAILING", set())
    benchmark(plan, table, tmp_path / "runs")
    assert len(table.read().cells) == 6


def test_a_process_that_dies_is_reported(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_compute_job", die)
    with pytest.raises(ConfigError, match="one of 2 processes died"):
        benchmark(Plan(config, [Method("cnn")], [0, 1], [1]), table_at(tmp_path), tmp_path / "runs", workers=2)


def die(*words: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_digest_covers(config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(method: str, **changed: Any) -> str:
        data = config.model_dump(mode="json")
        for section, values in changed.items():
            data[section] = {**data[section], **values} if isinstance(values, dict) else values
        return settings_digest(ExperimentConfig.model_validate(data), Method(method), "corpus")

    assert digest("darts") == digest("darts", device="cpu", data={"workers": 1, "cache": "/elsewhere"})
    assert digest("darts") != digest("darts", search={"epochs": 7})
    assert digest("cnn_lstm") == digest("cnn_lstm", search={"epochs": 7}), "a hand-designed network is not searched"
    assert digest("cnn_lstm") != digest("cnn_lstm", retrain={"epochs": 7})
    assert digest("cnn_lstm") == digest("cnn_lstm", space={"cnn_cells": 5}), "nor is it of the space"
    assert digest("cnn_lstm") != digest("cnn_lstm", space={"dropout": 0.4}), "but it has its dropout"
    assert digest("darts") != digest("darts", space={"seqnn_normalization": True})
    assert digest("cnn_lstm") != digest("cnn_lstm", retrain={"perturbation": {"level": 0.1}})
    assert settings_digest(config, Method("darts"), "one") != settings_digest(config, Method("darts"), "another")
    before = {name: digest(name) for name in ("random_search", "darts", "cnn_lstm")}
    monkeypatch.setattr(cells, "RANDOM_SEARCH_REVISION", "changed")
    assert {name for name, value in before.items() if digest(name) != value} == {"random_search"}
    sharp = {"options": {"sharpening": 1.0}}
    before = {name: digest(name, search=sharp) for name in ("darts", "cnn_lstm")}
    unsharpened = digest("darts")
    monkeypatch.setattr(cells, "SHARPENING_REVISION", "changed")
    assert {name for name, value in before.items() if digest(name, search=sharp) != value} == {"darts"}
    assert digest("darts") == unsharpened


def test_a_digest_covers_how_networks_are_trained(config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(method: str) -> str:
        return settings_digest(config, Method(method), "corpus")

    network, machine = digest("cnn_lstm"), digest("compare_svm")
    monkeypatch.setattr("nni_emodarts.benchmark.cells.REVISION", 99)
    assert digest("cnn_lstm") != network
    assert digest("compare_svm") == machine, "a machine is fitted by scikit-learn"


def test_an_architecture_is_carried_to_people_that_its_search_did_not_see(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path
) -> None:
    file = tmp_path / "architecture.json"
    file.write_text(json.dumps(cell_in(compared[0] / "out", "darts").architecture))
    carried = Method("carried", str(file))
    (summary,) = benchmark(Plan(config, [carried], [0], [1]), table_at(tmp_path), tmp_path / "runs")
    assert summary.search_cpu_seconds == 0
    with pytest.raises(OverlapError):
        benchmark(Plan(config, [carried], [1], [1]), table_at(tmp_path), tmp_path / "runs")


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean cnn_lstm"):
        Method("cnn_lstn")
    with pytest.raises(ConfigError, match="did you mean cnn_lstm"):
        build_baseline(Baseline("cnn_lst"), 4, (1, 40))


def test_a_strategy_gets_its_own_options(config: ExperimentConfig) -> None:
    own = settled(config, Method("random"))
    assert own.search.strategy == "random"
    assert own.search.strategy_options().candidates == 8


def test_random_sampling_retrains_an_even_draw_of_each_fold_and_seed(config: ExperimentConfig, tmp_path: Path) -> None:
    plan = Plan(config, [Method("random_sampling")], [0, 1], [1])
    (summary,) = benchmark(plan, table_at(tmp_path), tmp_path / "runs")
    drawn = [Architecture.from_dict(cell_in(tmp_path, "random_sampling", fold).architecture) for fold in (0, 1)]
    assert summary.search_cpu_seconds == 0 < summary.cpu_seconds
    assert len({made.id for made in drawn}) == 2
    assert "none" not in summary.operations
    for fold, made in enumerate(drawn):
        again = next(draw_architectures(config.space, 4, config.features.input_shape, [1, fold], {}))
        assert made.id == again.id
