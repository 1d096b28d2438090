"""A report of runs: one HTML page that needs no other file."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

import nni_emodarts
from nni_emodarts.metrics.headline import HEADLINES, UAR
from nni_emodarts.metrics.notation import figure_text, interval_text, share_text, signed_text, whole_text
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.report.drawings.canvas import svg
from nni_emodarts.report.enrolments import enrolment_rows
from nni_emodarts.report.other_corpora import corpus_rows
from nni_emodarts.report.rated import describe_rated
from nni_emodarts.report.results import compare_runs, describe_results
from nni_emodarts.report.runs import Run, read_runs, searches_by_architecture
from nni_emodarts.report.searches import describe_search, describe_subject, palette
from nni_emodarts.report.utterances import most_confused
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.runtime.writing import check_output, write_output

_WORST = 10
_NO_BREAK = "\u00a0"


def report(
    names: Sequence[str],
    out: str | Path,
    overwrite: bool = False,
    audio: bool = False,
    worst: int = _WORST,
    progress: Progress = silent,
) -> Path:
    """Write a report of runs as one HTML file.

    Args:
        names: run folders, experiments or benchmarks, as `read_runs` takes them.
        out: the file to write.
        overwrite: replace it.
        audio: put the sound of the most confused utterances into the page.
        worst: how many utterances are listed for each run.
        progress: called after each drawing.

    Raises:
        RunFolderError: a run cannot be read, or the file is there.
        ManifestError: `audio` is set, and a run's recordings are not where its configuration says.
        AudioError: likewise, and one of them cannot be read.
    """
    out = Path(out)
    check_output(out, overwrite, "report.html")  # before minutes are spent on drawings
    write_output(out, render(read_runs(names), audio, worst, progress).encode())
    return out


def render(runs: Sequence[Run], audio: bool = False, worst: int = _WORST, progress: Progress = silent) -> str:
    """The page as text."""
    total = sum(len(run.subjects) + len(run.searches) for run in runs)
    making = _Making(audio, worst, searches_by_architecture(runs), Drawn(total, progress))
    script, css = (_asset(f"page.{suffix}") for suffix in ("js", "css"))
    return _environment().get_template("page.html").render(
        title=f"Report: {', '.join(run.name for run in runs)}",
        version=nni_emodarts.__version__,
        made=time.strftime("%Y-%m-%d %H:%M"),
        css=Markup(css),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        comparison=compare_runs(runs),
        headline=HEADLINES[runs[0].track.task].name if runs else UAR.name,
        track="" if not runs or runs[0].track == Track() else str(runs[0].track),
        runs=[_describe(run, number, making) for number, run in enumerate(runs, 1)],
        palette=palette(),
    )  # fmt: skip


class Drawn:
    """Counts the architectures and searches that are drawn, which takes most of the time.

    Args:
        total: how many there are.
        progress: called after each.
    """

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def __call__(self, figures: JsonObject) -> JsonObject:
        """One more is drawn; hands it on."""
        self._done += 1
        self._progress("drawings", self._done, self._total)
        return figures


@dataclass(frozen=True)
class _Making:
    """What is the same for all runs of a page.

    Attributes:
        audio: whether sound goes into the page.
        worst: how many utterances are listed for each run.
        searches: architecture's id -> folder of the search that found it.
        drawn: counts what is drawn.
    """

    audio: bool
    worst: int
    searches: Mapping[str, RunFolder]
    drawn: Drawn


def _describe(run: Run, number: int, making: _Making) -> JsonObject:
    """What the page says of one run; an architecture that another run has searched is drawn with its strengths."""
    return {
        "id": f"run{number}",
        "name": run.name,
        "path": str(run.path),
        "method": run.method,
        "kind": run.kind,
        "track": str(run.track),
        "enrolment": enrolment_rows(run),
        "overlap": run.overlap,
        "corpora": corpus_rows(run),
        "results": describe_results(run),
        "rated": describe_rated(run, making.worst),
        "headline": HEADLINES[run.track.task].name,
        "subjects": [
            making.drawn(
                describe_subject(replace(subject, search=subject.search or making.searches.get(identity)), used)
            )
            for identity, (subject, used) in run.subjects.items()
        ],
        "searches": [
            making.drawn(describe_search(search, f"run{number}-search{position}"))
            for position, search in enumerate(run.searches, 1)
        ],
        "worst": most_confused(run, making.worst, making.audio),
        "audio": making.audio,
        "config": run.config_text,
        "environment": run.environment,
    }  # fmt: skip


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "figure": _figure, "share": _share, "signed": signed_text, "interval": interval_text, "whole": whole_text,
        "picture": _picture, "wav": _wav, "plain_json": _json,
    }  # fmt: skip
    return environment


def _asset(name: str) -> str:
    return (resources.files("nni_emodarts.report") / name).read_text(encoding="utf-8")


def _figure(value: float | None) -> str:
    return figure_text(value, missing="–")


def _share(value: float | None) -> str:
    return share_text(value, missing="–").replace("%", f"{_NO_BREAK}%")


def _picture(figure: Figure) -> str:
    """A figure as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg(figure).encode()).decode()}"


def _wav(data: bytes) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(data).decode()}"


def _json(data: object) -> Markup:
    """Data inside a script element: text that would end it is escaped."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704
