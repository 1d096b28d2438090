"""The commands of tables of architectures: table, table-describe, table-replay."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nni_emodarts.cli import console
from nni_emodarts.cli.launching import launchable
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
    fold_numbers,
    insisting,
    load,
    seed_numbers,
    words,
)
from nni_emodarts.errors import ConfigError
from nni_emodarts.launching import Launch
from nni_emodarts.metrics.notation import count_text, figure_text, interval_text, share_text, whole_text
from nni_emodarts.runtime.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from nni_emodarts.benchmark.table.description import Description
    from nni_emodarts.benchmark.table.replay import Replayed
    from nni_emodarts.benchmark.table.variance import Components

_KNOWS_LITTLE = 0.2  # R2 of a surrogate below which its rows are not to be relied on
_CHOICES_SHOWN = 8

TableFile = Annotated[Path, typer.Argument(help="The table (.jsonl) that emodarts table made.")]


@launchable
def table(
    file: Annotated[Path, typer.Argument(help="The table (.jsonl); what it holds already is not trained again.")],
    architectures: Annotated[int | None, typer.Option(min=1, help="Architectures to draw from the space.")] = None,
    architecture: Annotated[
        list[Path] | None,
        typer.Option(help="An architecture.json to train instead of draws, on folds that its search has not heard."),
    ] = None,
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    bad_audio: BadAudio = None,
    front_end: FrontEnd = None,
    allow_unfit: AllowUnfit = False,
    allow_overlap: AllowOverlap = False,
    folds: Annotated[str, typer.Option(help="Folds such as 0,2 or 0-3, 2- for all from 2 on, or `all`.")] = "all",
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings, such as 1,2,3.")] = "1",
    draw_seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the draws.")] = 0,
    inner: Annotated[
        int | None,
        typer.Option(min=2, max=100, help="Train on so many splits of a fold's training speakers instead."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trainings at once.")] = 1,
    launch: Launch | None = None,
) -> None:
    """Train architectures drawn from the space once, over folds and seeds: a table to judge searches by."""
    settings = insisting(settings, allow_unfit, allow_overlap)
    if (architectures is None) == (not architecture):
        raise ConfigError("name either --architectures N, to draw so many, or --architecture FILE, to train that one")
    chosen = load(preset, config, settings, manifest, protocol, bad_audio=bad_audio, front_end=front_end)
    from nni_emodarts.benchmark.table.run import Draws, run_table
    from nni_emodarts.models.architecture import Architecture

    wanted = architectures or tuple(Architecture.load(path) for path in architecture or ())
    draws = Draws(wanted, draw_seed, fold_numbers(folds), seed_numbers(seeds), inner)
    with console.progress_bars() as progress:
        made = run_table(chosen, file, draws, workers=workers, launch=launch, progress=progress, note=console.show_note)
    failed = sum(training.error is not None for training in made)
    console.show_line(f"{file}: {len(made)} trainings of {len({each.architecture for each in made})} architectures")
    if failed:
        console.show_note(f"{failed} of them diverged")


def table_describe(
    file: TableFile,
    beside: Annotated[
        Path | None, typer.Option(help="A table of named architectures (--architecture) to place in it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file for the figures.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say what a table's figures vary by, what choosing can win, and where named architectures would stand in it."""
    import json

    from nni_emodarts.benchmark.table.description import describe_table
    from nni_emodarts.benchmark.table.records import read_table
    from nni_emodarts.runtime.writing import check_output, write_output

    if out is not None:
        check_output(out, overwrite, "table.json")
    described = describe_table(read_table(file), None if beside is None else read_table(beside))
    if out is not None:
        write_output(out, (json.dumps(described.to_data(), indent=2) + "\n").encode())
    _show_description(described)


def _show_description(described: "Description") -> None:
    """Print what a table says of its space."""
    console.show_line(
        f"{described.trainings} trainings, {described.inner} on inner splits, {described.diverged} diverged, "
        f"{whole_text(described.cpu_seconds)} CPU s each; {described.architectures} architectures on all of "
        f"{described.folds} folds, {described.seeds:g} seeds each"
    )
    varying = Table(title="Deviations of UAR")
    for column in ("", "architecture", "fold", "architecture x fold", "seed", "reliability"):
        varying.add_column(column, justify="right" if column else "left")
    for name, found in (("test", described.test), ("validation", described.validation)):
        varying.add_row(name, *_components(found))
    console.out.print(varying)
    carried = list(described.carried.items())[:_CHOICES_SHOWN]
    console.show_line("share of architectures' variance: " + ", ".join(f"{n} {share_text(s)}" for n, s in carried))
    wins = described.wins
    chosen = Table("chosen", "test UAR")
    for name, value in (
        ("drawn at random", wins.drawn),
        ("best on validation, fold by fold", wins.by_own_fold),
        ("best on validation of all folds", wins.by_all_folds),
        ("best on test, fold by fold", wins.best_of_each_fold),
        ("best on test of all folds", wins.best),
    ):
        chosen.add_row(name, figure_text(value))
    console.out.print(chosen)
    console.show_line(f"rank correlation of validation and test: {wins.rank_correlation:.2f}")
    for each in described.placed:
        console.show_line(f"{each.architecture}: test UAR {figure_text(each.test_uar)}, place {each.rank} of {each.of}")


def _components(found: "Components") -> list[str]:
    deviations = (found.architecture, found.fold, found.interaction, found.seed)
    return [*map(figure_text, deviations), f"{found.reliability:.2f}"]


def table_replay(
    file: TableFile,
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    front_end: FrontEnd = None,
    budgets: Annotated[str, typer.Option(help="Trainings that a search may make, such as 24,48.")] = "24,48,96",
    searches: Annotated[int, typer.Option(min=2, help="Searches of each way to search, each with its seed.")] = 200,
    only_drawing: Annotated[
        bool, typer.Option("--only-drawing", help="Leave out the strategies that propose, which take a surrogate.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A JSON file for the figures.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Replay searches on a table: what each strategy and each way to estimate would have chosen, and at what cost.

    The space is that of --preset, --config and --front-end, as when the table was made. With --manifest losses at a
    temperature are replayed as well.
    """
    import json

    from nni_emodarts.benchmark.table.replay_run import replay_table
    from nni_emodarts.runtime.writing import check_output, write_output

    if out is not None:
        check_output(out, overwrite, "replay.json")
    chosen = load(preset, config, settings, manifest, None, front_end=front_end)
    with console.progress_bars() as progress:
        replayed = replay_table(
            file, chosen, budgets=_numbers(budgets), searches=searches, proposing=not only_drawing, progress=progress
        )
    if out is not None:
        write_output(out, (json.dumps(replayed.to_data(), indent=2) + "\n").encode())
    _show_replay(replayed)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(word) for word in words(text)]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 2:
        raise ConfigError(f"budgets: {text!r} must be whole numbers from 2, such as 24,48")
    return sorted(set(numbers))


def _show_replay(replayed: "Replayed") -> None:
    """Print what searches on a table came to: a row for each way to search."""
    what = f"{replayed.architectures} architectures, {replayed.replicates} replicates"
    table = Table(title=f"Regret in test UAR, {count_text(replayed.searches, 'replay')} each, on {what}")
    columns = ("on", "strategy", "figure", "trainings", "candidates", "each", "regret", "95 % interval", "CPU s")
    for column in columns:
        table.add_column(column, justify="left" if column in columns[:3] else "right")
    for row in replayed.rows:
        table.add_row(
            row.on,
            row.strategy,
            row.figure,
            str(row.trainings),
            str(row.candidates),
            f"{'1 to ' if row.halving else ''}{row.replicates}",
            figure_text(row.regret),
            interval_text((row.low, row.high), signed=True),
            whole_text(row.cpu_seconds),
        )
    console.out.print(table)
    error = replayed.surrogate
    if error is not None:
        console.show_line(
            f"surrogate, by cross-validation: R2 {error.r2:.2f}, rank correlation {error.rank_correlation:.2f}, error "
            f"{error.rmse:.3f} of a deviation of {error.deviation:.3f}; R2 of seconds {error.seconds_r2:.2f}"
        )
        if error.r2 < _KNOWS_LITTLE:
            console.show_note(
                "the surrogate explains hardly anything of the table, so that what was replayed on it says little"
            )
