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


LISTS = ("--enrolment",)
"""Options that take all words up to the next option."""


class ListingCommand(TyperCommand):
    """A command whose help lists the names of registries, and that knows options of several words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command line."""
        return TyperCommand.parse_args(self, ctx, _spelled_out(args))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, with names in place of the signs of `REGISTRIES`."""
        shown = copy(self)
        shown.params = [_with_names(parameter) for parameter in self.params]
        TyperCommand.format_options(shown, ctx, formatter)


def _spelled_out(words: list[str]) -> list[str]:
    """Words in which an option of `LISTS` stands before each of its values."""
    found: list[str] = []
    option = ""
    for number, word in enumerate(words):
        if word == "--":
            return [*found, *words[number:]]
        if word.startswith("-") and word != "-":
            option = word if word in LISTS else ""
            found.append(word)
        elif option and found[-1] != option:
            found += [option, word]
        else:
            found.append(word)
    return found


def _with_names(parameter: Any) -> Any:
    shown = copy(parameter)
    for sign, registry in REGISTRIES.items():
        if sign in (parameter.help or ""):
            shown.help = shown.help.replace(sign, ", ".join(resolve_name(registry)))
    return shown
