"""The command that judges searches by a table: table-replay."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nni_emodarts.cli import console
from nni_emodarts.cli.options import Config, FrontEnd, Manifest, Overwrite, Preset, Settings, load, words
from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.notation import count_text, figure_text, interval_text, whole_text

if TYPE_CHECKING:
    from nni_emodarts.benchmark.table.replay import Replayed

_KNOWS_LITTLE = 0.2  # R2 of a surrogate below which its rows are not to be relied on


def table_replay(
    file: Annotated[Path, typer.Argument(help="The table (.jsonl) that emodarts table made.")],
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
