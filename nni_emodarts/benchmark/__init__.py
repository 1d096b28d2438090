"""Methods x folds x seeds on one corpus, each computed once, whatever interrupts it.

A cell is one method on one fold with one seed. It is a small JSON file, written when the cell is finished: its figures,
its cost, and a confusion matrix for each test speaker, which is all that pooling, intervals and tests need.
"""

from nni_emodarts.benchmark.cells import Cell, settings_digest
from nni_emodarts.benchmark.methods import METHODS, Method
from nni_emodarts.benchmark.run import Tell, benchmark, compare

__all__ = ["METHODS", "Cell", "Method", "Tell", "benchmark", "compare", "settings_digest"]
