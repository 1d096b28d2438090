"""Commands that show runs and networks: draw, report, tensorboard, view."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import Browser


def draw(
    source: Annotated[
        Path, typer.Argument(help="An architecture.json, or the folder of a run that holds one.", metavar="RUN")
    ],
    out: Annotated[Path, typer.Option(help="The folder for the drawings.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the drawings in the folder.")] = False,
) -> None:
    """Draw an architecture: its cells and the whole network as SVG and PNG, and its search as a film."""
    from nni_emodarts.models.readable import check_readable

    check_readable([source])  # a broken one is refused before seconds of imports
    from nni_emodarts.report.drawings.drawing import draw as run_draw

    with console.progress_bars() as progress:
        files = run_draw(source, out, overwrite, progress)
    console.show_line(f"wrote {', '.join(file.name for file in files)} to {out}")


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Folders of runs, ids of NNI experiments, or JSON files of benchmarks; or NAME=any of them."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    audio: Annotated[bool, typer.Option("--audio", help="Put the sound of confused utterances into the page.")] = False,
    worst: Annotated[int, typer.Option(min=0, help="Confused utterances to list for each run.")] = 10,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write one page with everything about runs: results, confusions, drawings, the search as a film, configuration."""
    from nni_emodarts.models.readable import check_readable

    check_readable(runs)  # a broken one is refused before seconds of imports
    from nni_emodarts.report.page import report as run_report

    with console.progress_bars() as progress:
        file = run_report(runs, out, overwrite, audio, worst, progress)
    console.show_line(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")


def tensorboard(
    runs: Annotated[
        list[str], typer.Argument(help="Folders with runs in them, or ids of NNI experiments; or NAME=any of them.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Only write event files, to this folder, as far as the runs are.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the event files in the folder.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; a free one where absent.")] = None,
    browser: Browser = True,
) -> None:
    """Show what runs recorded by epoch in TensorBoard, while they run and afterwards; Ctrl+C ends it."""
    import webbrowser
    from contextlib import suppress

    from nni_emodarts.report.live.board import shown
    from nni_emodarts.report.live.events import write_events

    if out is not None:
        folders = write_events(runs, out, overwrite)
        console.show_line(f"wrote {len(folders)} event files; now: tensorboard --logdir {shlex.quote(str(out))}")
        return
    with suppress(KeyboardInterrupt), shown(runs, port) as board:
        console.show_line(f"TensorBoard: {board.address}; Ctrl+C ends it")
        if board.empty:
            console.show_note(f"nothing is recorded in {', '.join(runs)} yet; it appears once an epoch is over")
        if browser:
            webbrowser.open(board.address)
        board.follow()


def view(
    model: Annotated[
        Path, typer.Argument(help="An .onnx file, or a run folder that holds one.", metavar="MODEL_OR_RUN")
    ],
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; a free one where absent.")] = None,
    browser: Browser = True,
) -> None:
    """Show a network's graph in Netron, served from this machine alone (the extra `netron`); Ctrl+C ends it."""
    import threading
    import webbrowser
    from contextlib import suppress

    from nni_emodarts.report.live.viewer import find_graph, served

    graph = find_graph(model)
    with served(graph, port) as address, suppress(KeyboardInterrupt):
        console.show_line(f"{graph}: {address}; Ctrl+C ends it")
        if browser:
            webbrowser.open(address)
        threading.Event().wait()
