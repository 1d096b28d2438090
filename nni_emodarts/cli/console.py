"""What the command line shows: progress, tables, messages."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from nni_emodarts.cli import bars
from nni_emodarts.cli.bars import Bars
from nni_emodarts.metrics.notation import (
    count_text,
    figure_text,
    share_text,
)
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.plain_text import visible
from nni_emodarts.runtime.progress import Progress as Shown
from nni_emodarts.runtime.progress import silent

if TYPE_CHECKING:
    import pandas as pd

    from nni_emodarts.benchmark.study import Study
    from nni_emodarts.data.corpora import CorpusCard
    from nni_emodarts.data.describe import Description
    from nni_emodarts.data.describe_folds import FoldsDescription
    from nni_emodarts.deploy.loss import Shipped
    from nni_emodarts.metrics.cells import FinishedCell
    from nni_emodarts.nni_bridge.manager import Trial

_QUICK = 2.0  # seconds of a job that needs no line of its own
_SPEAKERS = 30  # lines of a table of speakers
_FINDINGS = 20  # recordings named for each fault

_PIPED = 160  # columns where there is no terminal, so that a log or a file holds whole names


class _PlainConsole(Console):
    """A console whose texts cannot steer the terminal: labels, names and files may be anyone's."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed, by style; rich adds its own escape sequences behind this."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def _console(stderr: bool = False) -> Console:
    console = _PlainConsole(stderr=stderr)
    if not console.is_terminal:
        console.width = max(console.width, _PIPED)
    return console


out, err = _console(), _console(stderr=True)


class Trials:
    """Progress of an experiment: a bar of its trials, and a line for each that has ended."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._shown: set[str] = set()

    def __call__(self, trials: "Sequence[Trial]", expected: int) -> None:
        """Show all trials so far, of as many as are expected."""
        for trial in trials:
            if trial.ended and trial.id not in self._shown:
                self._shown.add(trial.id)
                what = " ".join(f"{name} {value}" for name, value in trial.parameters.items())
                show_line(f"{what}: {trial.status.lower()}, validation figure {figure_text(trial.figure)}", to=err)
        running = {
            f"fold {trial.parameters.get('fold', trial.id)}": trial.figure
            for trial in trials
            if not trial.ended and trial.figure is not None
        }
        self._bars("trials", len(self._shown), expected, **running)


class Cells:
    """Progress of a benchmark: a bar of its cells, and a line for each that has finished."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def __call__(self, number: int, count: int, figures: "FinishedCell") -> None:
        """See `nni_emodarts.benchmark.Tell`."""
        show_line(
            f"{figures.method} fold {figures.fold} seed {figures.seed}: validation {figures.headline.name} "
            f"{figure_text(figures.val_score)}, test {figures.headline.name} {figure_text(figures.test_score)}, "
            f"{figures.cpu_seconds:.0f} CPU "
            f"seconds{of_track(figures.to_data())}",
            to=err,
        )
        self._bars("cells", number, count)


def progress_bars(after: float = 0.0) -> AbstractContextManager[Bars]:
    """Bars of long jobs, on standard error; plain lines where that is no terminal.

    Args:
        after: seconds that a job must have lasted before a plain line is worth printing.
    """
    return bars.progress_bars(err, after)


def answer_bars() -> "AbstractContextManager[Shown]":
    """Bars of a job whose answers are printed as they come; none where they can be watched themselves."""
    return nullcontext(silent) if out.is_terminal else progress_bars(_QUICK)


def _pooled_columns(pooled: JsonMapping) -> dict[str, str]:
    """Key -> name of the pooled figures that are shown."""
    told = {"test_uar": "UAR", "test_wa": "WA", "test_macro_f1": "macro F1", "test_ccc": "CCC"}
    rated = {f"test_ccc_{name}": f"CCC {name}" for name in pooled.get("dimensions", ())}
    more = {"test_pearson": "Pearson", "test_mae": "MAE", "test_uar_ccc": "UAR and CCC"}
    return {key: name for key, name in {**told, **rated, **more}.items() if key in pooled}


def show_pooled(pooled: JsonMapping) -> None:
    """Print the pooled figures: the result of a run over folds and seeds."""
    from nni_emodarts.metrics.headline import headlines_of

    table = Table(title=f"Test predictions pooled over the folds{of_track(pooled)}", title_justify="left")
    columns = _pooled_columns(pooled)
    for column in ("", *columns.values()):
        table.add_column(column, justify="left" if not column else "right")
    for seed, figures in pooled["seeds"].items():
        table.add_row(f"seed {seed}", *(figure_text(figures[name]) for name in columns))
    table.add_section()
    mean = [figure_text(pooled[name], pooled.get(f"{name}_std")) for name in columns]
    table.add_row(f"mean of {count_text(len(pooled['seeds']), 'seed')}", *mean, style="bold")
    out.print(table)
    for headline in headlines_of(pooled):
        folds = "  ".join(f"{fold}: {figure_text(figures[headline.test])}" for fold, figures in pooled["folds"].items())
        mean_text = figure_text(pooled[f"fold_mean_{headline.key}"])
        show_line(f"{f'{headline.name} by fold':14} {folds}  (mean {mean_text})")
    if "recall" in pooled:
        recalls = "  ".join(f"{name} {figure_text(value)}" for name, value in pooled["recall"].items())
        show_line(f"Recall         {recalls}")
    if "test_js" in pooled:
        divergences = f"KL {figure_text(pooled['test_kl'])}  JS {figure_text(pooled['test_js'])}"
        show_line(f"Votes          {divergences}  ({count_text(pooled['test_voted_utterances'], 'utterance')})")
    _show_enrolment(pooled.get("enrolment", {}))
    counts = {seed: figures["folds"] for seed, figures in pooled["seeds"].items()}
    if len(set(counts.values())) > 1:
        there = ", ".join(f"seed {seed}: {count_text(count, 'fold')}" for seed, count in counts.items())
        show_line(
            f"NOT COMPLETE: the seeds have different folds ({there}), so that their mean mixes them",
            style="bold red",
        )
    if pooled.get("overlap"):
        show_line(
            f"NOT HONEST: the architecture's search saw test speakers {', '.join(pooled['overlap'])}",
            style="bold red",
        )


def of_track(figures: "JsonMapping") -> str:
    """What a table's title says of its track; nothing where all was learnt from scratch."""
    from nni_emodarts.metrics.tracks import Track

    track = Track.of(figures)
    return "" if track == Track() else f" ({track})"


def _show_enrolment(by_enrolment: "JsonMapping") -> None:
    """Print speaker-adapted figures by the number of other recordings of the speaker."""
    for name, found in by_enrolment.items():
        k = "k = {least} to {most}, mean {mean:g}".format(**found["k"])
        show_line(f"speaker-adapted, enrolment {name} ({k}): UAR {figure_text(found['test_uar'])}")


def show_study(found: "Study") -> None:
    """Print how a searched architecture stands among random ones."""
    searched, sampling, search = found.searched, found.random_sampling, found.random_search
    title = f"Fold {found.fold}, seed {found.seed}{of_track(found.to_data())}"
    table = Table(title=title, title_justify="left")
    for column in ("", f"validation {found.headline.name}", f"test {found.headline.name}"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("searched", figure_text(searched.val), figure_text(searched.test))
    table.add_row(
        f"random search, {count_text(search.candidates, 'candidate')}",
        figure_text(search.val),
        figure_text(search.test),
    )
    table.add_row(
        f"random sampling, {count_text(sampling.samples, 'sample')}",
        figure_text(sampling.val, sampling.val_std),
        figure_text(sampling.test, sampling.test_std),
    )
    out.print(table)
    shares = found.rank
    show_line(
        f"The searched network beats {share_text(shares.val)} of the samples on validation, "
        f"{share_text(shares.test)} on the test part."
    )
    if not found.equal_cost:
        show_line(
            "The search was computed on another processor or device, or with other threads: its CPU seconds are not "
            "those of the samples, and random search had more or less than its cost."
        )


def show_skipped(count: int, where: object) -> None:
    """Print that recordings were left out, if there were any."""
    if count:
        show_line(f"skipped {count_text(count, 'recording')}; skipped.csv in {where} says why")


def show_corpora(cards: "Sequence[CorpusCard]") -> None:
    """Print what is known of each corpus."""
    for card in cards:
        out.print(f"[bold]{card.name}[/bold]  {card.title}", highlight=False)
        held = [
            f"{card.speakers} speakers" if card.speakers else "",
            f"{card.utterances:,} utterances" if card.utterances else "",
            f"{card.hours:g} h" if card.hours else "",
            ", ".join(card.emotions) or "any classes",
        ]
        lines = {
            "holds": "; ".join(part for part in held if part),
            "language": card.language,
            "licence": card.licence,
            "from": card.url,
            "cite": card.citation,
            "expects": card.layout,
            "protocol": card.protocol,
            "options": "; ".join(f"{key}={'|'.join(values) or 'TEXT'}" for key, values in card.options.items()),
            "note": card.notes,
        }
        for name, text in lines.items():
            if text:
                show_line(f"  {name:9} {text}")


def show_strategies() -> None:
    """Print what each search strategy is for, family by family."""
    from nni_emodarts.config.strategies import FAMILIES, of_family

    for family, what in FAMILIES.items():
        out.print(f"[bold]{family}[/bold]: {what}", highlight=False)
        for strategy in of_family(family):
            needs = f"  (needs pip install 'nni_emodarts[{strategy.needs.extra}]')" if strategy.needs else ""
            show_line(f"  {strategy.name:20}{strategy.optimises}{needs}")
            options = ", ".join(f"{name}={default}" for name, default in strategy.defaults())
            show_line(f"  {'':20}{options}", style="dim")


def show_description(description: "Description") -> None:
    """Print what a manifest's recordings hold, then what is wrong with them."""
    _show_counts("Utterances", description.classes)
    speakers = description.speakers
    _show_counts("Speakers", speakers.head(_SPEAKERS))
    if len(speakers) > _SPEAKERS:
        show_line(f"and {len(speakers) - _SPEAKERS} speakers more")
    rated = description.dimensions
    if rated is not None and len(rated.table):
        _show_counts(f"Dimensions, {rated.scale}", rated.table)
    out.print()
    for name, text in description.lines().items():
        show_line(f"{name:15} {text}")
    if rated is not None and rated.correlations:
        show_line(f"{'correlations':15} {rated.correlations}")
    for note in description.notes:
        out.print("note", style="bold yellow", end=" " * 12)
        show_line(note)
    if description.folds is not None:
        _show_folds(description.folds)
    _show_findings(description)


def _show_findings(description: "Description") -> None:
    for kind, found in description.findings.groupby("kind", sort=False):
        show_line(f"\n{len(found)} {kind}", style="bold")
        for file, reason in found[["file", "reason"]].head(_FINDINGS).itertuples(index=False):
            show_line(f"  {file}: {reason}")
        if len(found) > _FINDINGS:
            show_line(f"  and {len(found) - _FINDINGS} more; --out FILE.csv lists all")
    if description.findings.empty:
        of_all = " with the recordings" if description.folds is not None else ""
        out.print(f"nothing is wrong{of_all}", style="bold")


def _show_folds(folds: "FoldsDescription") -> None:
    _show_counts(f"Folds of {folds.protocol}", folds.sizes)
    for line in folds.lines():
        show_line(line, style="bold red" if " on both sides, " in line else None)


def _show_counts(title: str, counts: "pd.DataFrame") -> None:
    """Print a table whose first column is its index."""
    table = Table(title=title, title_justify="left")
    table.add_column(str(counts.index.name or ""))
    for column in counts.columns:
        table.add_column(escape(str(column)), justify="right")
    for name, row in counts.iterrows():
        cells = (f"{cell:.1f}" if isinstance(cell, float) else escape(str(cell)) for cell in row)
        table.add_row(escape(str(name)), *cells, style="bold" if name == "(all)" else None)
    out.print(table)


def show_export(report: "Shipped") -> None:
    """Print what an export wrote, and how far it is from the network that it comes from."""
    for path, size in report.written.items():
        shown = f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
        show_line(f"wrote {path} ({shown})")
    show_line(f"input    waveform (N, S) float32 at {report.sampling_rate} Hz")
    if report.labels:
        show_line(f"output   probabilities (N, {len(report.labels)}): {', '.join(report.labels)}")
    if report.dimensions:
        show_line(f"output   dimensions (N, {len(report.dimensions)}): {', '.join(report.dimensions)}")
    show_line(f"checked  on synthetic sounds of many lengths: at most {report.difference:.1g} from PyTorch")
    for name, loss in report.losses.items():
        show_line(f"{name:8} {loss}")
    for failure in report.failures:
        show_error(failure)


def write_out(text: str) -> None:
    """Write a result to standard output at once, as UTF-8 wherever it goes; names of files keep their bytes."""
    shown = visible(text) if out.is_terminal else text  # for a file or a pipe it stays as it is
    typer.echo(shown.encode("utf-8", "surrogateescape"), nl=False)


def show_line(text: str, style: str | None = None, to: Console = out) -> None:
    """Print text as it is: a name in brackets is no markup, and no line is broken but by the terminal.

    Args:
        text: a line, or several.
        style: of the whole.
        to: standard output or standard error.
    """
    to.print(_printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


def show_note(message: str) -> None:
    """Print one note."""
    err.print("note:", style="bold yellow", end=" ")
    show_line(message, to=err)


def show_error(message: str) -> None:
    """Print one error."""
    err.print("error:", style="bold red", end=" ")
    show_line(message, to=err)


def _printable(message: str) -> str:
    return message.encode(errors="backslashreplace").decode()  # JSON may hold half a character
