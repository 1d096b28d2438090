"""The command that says what a run will take: plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nni_emodarts.cli import console
from nni_emodarts.cli.options import (
    AllowOverlap,
    AllowUnfit,
    BadAudio,
    Config,
    FrontEnd,
    Manifest,
    Overwrite,
    Preset,
    Protocol,
    Settings,
    Strategy,
    fold_numbers,
    insisting,
    load,
    machine_numbers,
    seed_numbers,
)
from nni_emodarts.metrics.notation import bytes_text, count_text, duration_text, whole_text

if TYPE_CHECKING:
    from nni_emodarts.benchmark.forecast.run import Planned


def plan(
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    strategy: Strategy = None,
    bad_audio: BadAudio = None,
    front_end: FrontEnd = None,
    allow_unfit: AllowUnfit = False,
    allow_overlap: AllowOverlap = False,
    folds: Annotated[str, typer.Option(help="Folds such as 0,2 or 0-3, 2- for all from 2 on, or `all`.")] = "all",
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3.")] = "1",
    machines: Annotated[str, typer.Option(help="Numbers of machines like this one, such as 1,2,4,8.")] = "1",
    workers: Annotated[int, typer.Option(min=1, help="Cells at once on each.")] = 1,
    hours: Annotated[
        float | None, typer.Option(help="Hours of speech of a corpus that is otherwise like the manifest's.")
    ] = None,
    trials: Annotated[
        bool, typer.Option("--trials", help="The cells are trials of an experiment, which are validated as well.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A JSON file for what was measured, and what follows.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say what a search and retraining of folds and seeds will take: time, memory, disk.

    A part of the first fold is done here and measured, and nothing of it is kept.
    """
    import json

    settings = insisting(settings, allow_unfit, allow_overlap)
    chosen = load(preset, config, settings, manifest, protocol, strategy, bad_audio, front_end)
    from nni_emodarts.benchmark.forecast.run import plan as make_plan
    from nni_emodarts.runtime.writing import check_output, write_output

    if out is not None:
        check_output(out, overwrite, "plan.json")
    with console.progress_bars() as progress:
        planned = make_plan(
            chosen, machines=machine_numbers(machines), workers=workers, folds=fold_numbers(folds),
            seeds=len(seed_numbers(seeds)), hours=hours, trials=trials, progress=progress, note=console.show_note,
        )  # fmt: skip
    if out is not None:
        write_output(out, (json.dumps(planned.to_data(), indent=1) + "\n").encode())
    _show_plan(planned)


def _show_plan(planned: "Planned") -> None:
    work, first = planned.work, planned.forecasts[0]
    console.show_line(
        f"{planned.hours:,.1f} hours of speech, about {whole_text(work.longer * work.utterances)} utterances, of which "
        f"{whole_text(work.longer * work.missing)} are to be heard; {count_text(work.cells, 'cell')} of "
        f"{duration_text(first.search)} to search and {duration_text(first.training)} to train each"
    )
    table = Table(title=f"what it takes, {count_text(first.shape.workers, 'cell')} at once on each machine")
    for column in ("machines", "hearing", "search and training", "in all", "machine hours"):
        table.add_column(column, justify="right")
    for each in planned.forecasts:
        table.add_row(
            str(each.shape.machines), duration_text(each.extraction), duration_text(each.cells),
            duration_text(each.seconds), f"{each.machine_hours:,.1f}",
        )  # fmt: skip
    console.out.print(table)
    console.show_line(
        f"memory of a process up to {bytes_text(first.memory)}; disk: {bytes_text(first.feature_bytes)} of features in "
        f"{whole_text(first.feature_files)} files, {bytes_text(first.run_bytes)} of run folders"
    )
