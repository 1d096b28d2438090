"""Methods x folds x seeds on one corpus, each computed once, whatever interrupts it.

A cell is one method on one fold with one seed. It is a line of its benchmark's table, appended when the cell is
finished: its figures, its cost, and a confusion matrix for each test speaker, which is all that pooling, intervals and
tests need.

Loaded when first used, so that methods can be listed without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nni_emodarts.benchmark.cells import Cell, settings_digest
    from nni_emodarts.benchmark.methods import METHODS, Method
    from nni_emodarts.benchmark.plan import Plan
    from nni_emodarts.benchmark.run import Note, Tell, benchmark, cell_table, compare

_HOMES = {
    "METHODS": "methods",
    "Cell": "cells",
    "Method": "methods",
    "Note": "run",
    "Plan": "plan",
    "Tell": "run",
    "benchmark": "run",
    "cell_table": "run",
    "compare": "run",
    "settings_digest": "cells",
}
__all__ = ["METHODS", "Cell", "Method", "Note", "Plan", "Tell", "benchmark", "cell_table", "compare", "settings_digest"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
