"""The command `emodarts`: a thin command for each arrow of the pipeline, which imports its room only when called."""

import io
import sys
from collections.abc import Callable

import typer

from nni_emodarts.cli import console, corpora, experiments, hearing, planning, searching, showing, tables, using
from nni_emodarts.cli.listing import ListingCommand
from nni_emodarts.errors import message_for_person
from nni_emodarts.runtime.processes import ended_in_order, exit_status

app = typer.Typer(
    help="Search, retrain and measure networks that recognise emotions in speech (emoDARTS under NNI).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
space_app = typer.Typer(help="The space that a search chooses from.", no_args_is_help=True, rich_markup_mode=None)

_COMMANDS: dict[str, Callable[..., None]] = {  # in the order of `emodarts --help`
    "features": hearing.features,
    "search": searching.search,
    "retrain": searching.retrain,
    "experiment": experiments.experiment,
    "ensemble": searching.ensemble,
    "benchmark": searching.benchmark,
    "plan": planning.plan,
    "study": searching.study,
    "table": tables.table,
    "table-describe": tables.table_describe,
    "table-replay": tables.table_replay,
    "run": experiments.run,
    "node-options": experiments.print_node_options,
    "results": experiments.results,
    "predict": using.predict,
    "score": using.score,
    "export": using.export,
    "card": using.card,
    "draw": showing.draw,
    "report": showing.report,
    "tensorboard": showing.tensorboard,
    "view": showing.view,
    "strategies": searching.strategies,
    "front-ends": hearing.front_ends,
    "corpora": corpora.corpora,
    "prepare": corpora.prepare,
    "describe": corpora.describe,
    "synthesize": corpora.synthesize,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=ListingCommand)(_command)
space_app.command("export")(searching.export_space)
app.add_typer(space_app, name="space")


def main() -> None:
    """Run the command line; an error that the user can mend is one message and exit code 2.

    A command that a signal ends leaves with 128 + its number: 130 after Ctrl+C, 143 after SIGTERM.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no figure is lost for a sign that an encoding lacks
    try:
        with ended_in_order():
            app()
    except SystemExit as left:
        raise SystemExit(exit_status(left)) from None
    except Exception as error:
        message = message_for_person(error)
        if message is None:
            raise
        console.show_error(message)
        raise SystemExit(2) from None
