"""FLOPs of a benchmark's cells."""

from pathlib import Path

from finished_cells import cell_in, table_at

from nni_emodarts.benchmark import (
    Method,
    Plan,
    benchmark,
    flops,
)
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.summaries import BenchmarkSummary
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines.cnn_lstm import CnnLstm
from nni_emodarts.models.costs import architecture_cost, count_flops, frames_per_second
from nni_emodarts.models.space import build_model


def test_flops_are_those_of_one_second_also_of_cells_that_say_nothing_of_them(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig, tmp_path: Path
) -> None:
    folder, summary = compared
    cell = cell_in(folder / "out", "darts")
    drawn = Architecture.from_dict(cell.architecture)
    assert cell.flops == architecture_cost(drawn, "flops", frames_per_second(config.features))
    figures = {method.name: method.flops for method in summary.methods}
    network = CnnLstm(4, config.features.input_shape)
    assert figures["cnn_lstm"] == count_flops(network, config.features.input_shape, 51), "51 frames of 20 ms"
    old = table_at(tmp_path)
    for each in table_at(folder / "out").read().cells.values():
        data = {key: value for key, value in each.to_data().items() if key != "flops"}
        old.append(FinishedCell.from_data(data))
    again = benchmark(Plan(config, [Method("darts"), Method("cnn_lstm")], [0, 1], [1]), old, tmp_path)
    assert {method.name: method.flops for method in again} == figures


def test_flops_of_a_carried_architecture_are_those_for_the_classes_at_hand(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig
) -> None:
    cell = cell_in(compared[0] / "out", "darts")
    more = flops.cell_flops(config, cell.model_copy(update={"classes": [*cell.classes, "calm"]}))
    network = build_model(Architecture.from_dict(cell.architecture), num_classes=5)
    assert more == count_flops(network, config.features.input_shape, 51) > cell.flops


def test_flops_of_a_widened_network_are_those_of_what_was_trained(
    compared: tuple[Path, BenchmarkSummary], config: ExperimentConfig
) -> None:
    cell = cell_in(compared[0] / "out", "darts")
    data = config.model_dump(mode="json")
    data["retrain"]["width"] = 2.0
    assert flops.cell_flops(ExperimentConfig.model_validate(data), cell) > 2 * cell.flops
