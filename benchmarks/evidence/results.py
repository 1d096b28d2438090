"""`python -m benchmarks.evidence.results`: the main tables and docs/RESULTS.md, on the corpora under $EMODARTS_DATA.

Only cells that are missing under docs/results are computed, so that it can be run in slices: some corpora, some
methods, some seeds. Then the summaries are made of all cells that are there, and the document of the summaries.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.evidence.evidence import (
    CORPORA,
    METHODS,
    PLANNED,
    SEEDS,
    Corpus,
    Places,
    discard_stale,
    jobs_of,
    main_table,
)
from benchmarks.pages.results_document import write_document
from nni_emodarts.benchmark import Method, Plan, benchmark, cell_table
from nni_emodarts.cli.console import Cells, progress_bars, show_error, show_note
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.errors import EmodartsError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.runtime.cell_table import CellTable


def main(words: Sequence[str] | None = None, corpora: Sequence[Corpus] = CORPORA) -> None:
    """Compute what is missing, then write summaries and document.

    Args:
        words: the command line's words; its own where absent.
        corpora: the corpora that there are.
    """
    arguments = _parser(corpora).parse_args(words)
    places = places_of(arguments)
    seeds = list(range(1, arguments.seeds + 1))
    methods = [Method(name) for name in pick("methods", arguments.methods, METHODS)]
    chosen = pick("corpora", arguments.corpora, [corpus.key for corpus in corpora])
    for corpus in (each for each in corpora if each.key in chosen):
        if arguments.discard_stale:
            _discard(corpus, places)
        if not methods:
            note_damaged(cell_table(places.results, corpus.name))
        _compute(corpus, methods, seeds, places, arguments.workers)
        planned = range(1, max(SEEDS, arguments.seeds) + 1)  # what a slice lacks is said
        main_table(corpus, places.data, places.results, planned)
    write_document(arguments.out)


def pick(what: str, text: str, known: Sequence[str]) -> list[str]:
    """Names of a list such as `a,b`, in the order of those that are known; none for an empty one.

    Args:
        what: what is named, for the message.
        text: the names.
        known: all that may be named.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    unknown = sorted(names - set(known))
    if unknown:
        sys.exit(f"--{what}: {', '.join(unknown)} unknown; known: {', '.join(known)}")
    return [name for name in known if name in names]


def places_of(arguments: argparse.Namespace) -> Places:
    """Where a command finds and leaves things."""
    if arguments.data is None:
        sys.exit("set EMODARTS_DATA to the folder that holds emodb4/manifest.csv and ravdess/manifest.csv")
    return Places(Path(arguments.data), arguments.out / "results", arguments.runs)


def note_damaged(table: CellTable[FinishedCell]) -> None:
    """Name the lines of a table that hold no cell."""
    for text in table.read().damaged:
        show_note(f"{text}; the cell counts as missing")


def add_places(parser: argparse.ArgumentParser, runs: str) -> None:
    """Options that say where things are, and how many run at once."""
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of RESULTS.md and results/")
    parser.add_argument("--runs", type=Path, default=Path(runs), help="folder of the run folders behind")
    parser.add_argument("--workers", type=_positive, default=2, help="cells at once")
    parser.add_argument("--data", default=os.environ.get("EMODARTS_DATA"), help="folder of emodb4 and ravdess")
    parser.add_argument("--discard-stale", action="store_true", help="delete cells of other settings")


def guarded(run: Callable[[], None]) -> None:
    """Run a command; an error that the user can mend is one message and exit code 2."""
    try:
        run()
    except EmodartsError as error:
        show_error(str(error))
        raise SystemExit(2) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


def _parser(corpora: Sequence[Corpus]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    keys = ",".join(corpus.key for corpus in corpora)
    names = ",".join(METHODS)
    parser.add_argument("--corpora", default=keys, help=f"some of {keys}")
    parser.add_argument("--methods", default=",".join(PLANNED), help=f"some of {names}; '' computes none")
    parser.add_argument("--seeds", type=_positive, default=SEEDS, help="number of seeds; SVMs have one")
    add_places(parser, "runs/results")
    return parser


def _compute(corpus: Corpus, methods: Sequence[Method], seeds: Sequence[int], places: Places, workers: int) -> None:
    config, folds = corpus.config(places.data), corpus.folds(places.data)
    table = cell_table(places.results, corpus.name)
    usable = [method for method in methods if _can_compute(method, len(folds), table)]
    with progress_bars() as bars:
        for svm in (True, False):
            some = [method for method in usable if method.svm is svm]
            if some:
                plan = Plan(config, some, folds, seeds[:1] if svm else seeds)
                runs, tell = places.runs / corpus.name, Cells(bars)
                benchmark(plan, table, runs, workers=workers, tell=tell, progress=bars, note=show_note)


def _can_compute(method: Method, folds: int, table: CellTable[FinishedCell]) -> bool:
    """Whether an SVM has its functionals' package, or needs it no more."""
    if not method.svm or find_spec("opensmile"):
        return True
    if sum((key.method, key.seed) == (method.name, 1) for key in table.read().cells) == folds:
        return True
    show_note(f"{method.name} is skipped: openSMILE is not installed; pip install 'nni_emodarts[opensmile]'")
    return False


def _discard(corpus: Corpus, places: Places) -> None:
    config, table = corpus.config(places.data), cell_table(places.results, corpus.name)
    digest = load_manifest(config).digest
    for method in map(Method, METHODS):
        there = table.read().seeds(method.name)
        for place in discard_stale(jobs_of(config, method, corpus.folds(places.data), there, table), digest):
            show_note(f"deleted {place}, which was computed with other settings")


if __name__ == "__main__":
    guarded(main)
