"""Help that lists what can be chosen.

The names come from their registry when help is shown, so that a command that runs does not wait for them.
"""

from copy import copy
from pkgutil import resolve_name
from typing import Any

from typer.core import TyperCommand

REGISTRIES = {
    "{corpora}": "nni_emodarts.data.corpora:CORPORA",
    "{methods}": "nni_emodarts.benchmark.methods:METHODS",
    "{strategies}": "nni_emodarts.config.strategies:STRATEGIES",
}
"""What stands in the help of a parameter -> the registry whose names are shown there."""


class ListingCommand(TyperCommand):
    """A command whose help lists the names of registries."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, with names in place of the signs of `REGISTRIES`."""
        shown = copy(self)
        shown.params = [_with_names(parameter) for parameter in self.params]
        TyperCommand.format_options(shown, ctx, formatter)


def _with_names(parameter: Any) -> Any:
    shown = copy(parameter)
    for sign, registry in REGISTRIES.items():
        if sign in (parameter.help or ""):
            shown.help = shown.help.replace(sign, ", ".join(resolve_name(registry)))
    return shown
