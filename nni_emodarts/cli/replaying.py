"""The command that judges searches by a table: table-replay."""

from pathlib import Path
from typing import Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import Config, FrontEnd, Manifest, Overwrite, Preset, Settings, load, words
from nni_emodarts.errors import ConfigError


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
    console.show_replay(replayed)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(word) for word in words(text)]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 2:
        raise ConfigError(f"budgets: {text!r} must be whole numbers from 2, such as 24,48")
    return sorted(set(numbers))
