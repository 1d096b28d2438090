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
    discard_stale,
    jobs_of,
    main_table,
    seeds_there,
)
from benchmarks.pages.results_document import write_document
from nni_emodarts.benchmark import Method, benchmark
from nni_emodarts.cli.console import Cells, progress_bars, show_error, show_note
from nni_emodarts.data.corpus import load_manifest
from nni_emodarts.errors import EmodartsError


def main(words: Sequence[str] | None = None, corpora: Sequence[Corpus] = CORPORA) -> None:
    """Compute what is missing, then write summaries and document.

    Args:
        words: the command line's words; its own where absent.
        corpora: the corpora that there are.
    """
    arguments = _parser(corpora).parse_args(words)
    data = data_folder(arguments.data)
    results: Path = arguments.out / "results"
    seeds = list(range(1, arguments.seeds + 1))
    methods = [Method(name) for name in pick("methods", arguments.methods, METHODS)]
    chosen = pick("corpora", arguments.corpora, [corpus.key for corpus in corpora])
    for corpus in (each for each in corpora if each.key in chosen):
        if arguments.discard_stale:
            _discard(corpus, data, results)
        _compute(corpus, data, methods, seeds, results, arguments)
        main_table(corpus, data, results, range(1, max(SEEDS, arguments.seeds) + 1))  # what a slice lacks is said
    write_document(arguments.out)


def pick(what: str, text: str, known: Sequence[str]) -> list[str]:
    """Names of a list such as `a,b`, in the order of those that are known; none for an empty one.

    Args:
        what: what is named, for the message.
        text: the names.
        known: all that may be named.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    strangers = sorted(names - set(known))
    if strangers:
        sys.exit(f"--{what}: {', '.join(strangers)} unknown; known: {', '.join(known)}")
    return [name for name in known if name in names]


def data_folder(given: str | None) -> Path:
    """The folder of the corpora."""
    if given is None:
        sys.exit("set EMODARTS_DATA to the folder that holds emodb4/manifest.csv and ravdess/manifest.csv")
    return Path(given)


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


def _compute(
    corpus: Corpus,
    data: Path,
    methods: Sequence[Method],
    seeds: Sequence[int],
    results: Path,
    arguments: argparse.Namespace,
) -> None:
    config, folds, cells = corpus.config(data), corpus.folds(data), results / "cells" / corpus.name
    usable = [method for method in methods if _can_compute(method, len(folds), cells)]
    with progress_bars() as bars:
        for svm in (True, False):
            some = [method for method in usable if method.svm is svm]
            own = seeds[:1] if svm else seeds
            if some:
                runs = arguments.runs / corpus.name
                benchmark(config, some, folds, own, cells, runs, arguments.workers, Cells(bars), bars)


def _can_compute(method: Method, folds: int, cells: Path) -> bool:
    """Whether an SVM has its functionals' package, or needs it no more."""
    done = len(list(cells.glob(f"{method.name}-fold_*-seed_1.json"))) == folds
    if not method.svm or done or find_spec("opensmile"):
        return True
    show_note(f"{method.name} is skipped: openSMILE is not installed; pip install 'nni_emodarts[opensmile]'")
    return False


def _discard(corpus: Corpus, data: Path, results: Path) -> None:
    config, cells = corpus.config(data), results / "cells" / corpus.name
    digest = load_manifest(config.data).digest
    for method in map(Method, METHODS):
        there = seeds_there(cells, method)
        for file in discard_stale(jobs_of(config, method, corpus.folds(data), there, cells), digest):
            show_note(f"deleted {file}, which was computed with other settings")


if __name__ == "__main__":
    guarded(main)
