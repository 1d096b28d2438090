"""Commands that use a network: predict, score, export, card."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import Fold, Seed, Settings, Weights, label_choice
from nni_emodarts.cli.other_corpora import show_corpora_figures

if TYPE_CHECKING:
    from nni_emodarts.deploy.answers import Line


def predict(
    model: Annotated[Path, typer.Argument(help="A run folder, or a file that emodarts export wrote.")],
    files: Annotated[list[str], typer.Argument(help="Recordings of any format, rate and channel count.")],
    format: Annotated[  # noqa: A002
        str, typer.Option(help="table, csv, json, or msp_podcast and msp_podcast_dimensions for its challenges.")
    ] = "table",
    fold: Fold = None,
    seed: Seed = None,
    over_time: Annotated[bool, typer.Option("--over-time", help="Window by window, for long recordings.")] = False,
    window: Annotated[float, typer.Option(help="Seconds of a window.")] = 3.0,
    overlap: Annotated[float, typer.Option(help="Share of a window that the next one repeats.")] = 0.5,
    batch_size: Annotated[int, typer.Option(min=1, help="Recordings at once; answers come batch by batch.")] = 1,
    enrolment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILES...",
            help="Other recordings of the voice, unlabelled, for a speaker-adapted network: all words up to the next "
            "option, so name them last.",
        ),
    ] = None,
    front_end: Weights = None,
) -> None:
    """Recognise the emotion of recordings; a bad one is named and the others are answered all the same."""
    from nni_emodarts.deploy.answers import answer_lines

    failed = 0
    with console.answer_bars() as progress:
        lines = answer_lines(
            model, files, format, fold=fold, seed=seed, over_time=over_time, window=window, overlap=overlap,
            batch_size=batch_size, enrolment=enrolment or (), front_end=front_end, progress=progress,
        )  # fmt: skip
        for line in lines:
            _show_answer(line)
            failed += line.error is not None
    if failed:
        console.show_error(f"{failed} of {len(files)} recordings could not be recognised")
        raise typer.Exit(1)


def score(
    run: Annotated[Path, typer.Argument(help="A run folder, or the folder of one network.")],
    manifests: Annotated[list[str], typer.Argument(help="Manifests (CSV) of the corpora to score on.")],
    merge: Annotated[
        list[str] | None, typer.Option(metavar="A=B", help="Emotion A counts as the network's class B; repeatable.")
    ] = None,
    leave_out: Annotated[
        str | None, typer.Option("--leave-out", help="Emotions that are not scored, such as calm,disgust.")
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="LOW..HIGH", help="Scale of their ratings, where they state none; the network's if absent."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write scores.json and predictions.csv to this folder.")] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="The networks of this fold instead of the final one.")] = None,
    seed: Seed = None,
    settings: Settings = None,
    front_end: Weights = None,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Score on speakers that were learnt from, and mark the figures.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files.")] = False,
) -> None:
    """Score a finished network on other corpora; where there is no final one, those of all folds and seeds."""
    from nni_emodarts.deploy.scoring import run_score

    with console.progress_bars() as progress:
        scored = run_score(
            run, manifests,
            choice=label_choice(merge, leave_out, scale),
            fold=fold, seed=seed, settings=settings or (), front_end=front_end, allow_overlap=allow_overlap, out=out,
            overwrite=overwrite, progress=progress, note=console.show_note,
        )  # fmt: skip
    show_corpora_figures(scored.corpora, scored.track.to_dict())
    if out is not None:
        console.show_line(f"wrote {out}")


def export(
    run: Annotated[Path, typer.Argument(help="A run folder, or the folder of one network.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    files: Annotated[list[str] | None, typer.Argument(help="Recordings on which losses are measured.")] = None,
    manifest: Annotated[str | None, typer.Option(help="The same, with their emotions: a manifest (CSV).")] = None,
    fold: Fold = None,
    seed: Seed = None,
    int8: Annotated[bool, typer.Option("--int8", help="Also write NAME.int8.onnx, with weights of 8 bits.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files.")] = False,
    front_end: Weights = None,
) -> None:
    """Write a network as one ONNX file, waveform in, probabilities out, with its model card beside it."""
    from nni_emodarts.deploy.folder import open_network
    from nni_emodarts.deploy.shipping import ship

    with console.progress_bars() as progress:
        report = ship(
            open_network(run, fold, seed).hearing_with(front_end), out,
            files=files or (), manifest=manifest, int8=int8, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    console.show_export(report)
    if report.failures:
        raise typer.Exit(1)


def card(
    run: Annotated[Path, typer.Argument(help="A run folder, or the folder of one network.")],
    fold: Fold = None,
    seed: Seed = None,
) -> None:
    """Write the model card of a network anew, beside its weights: data, figures, use and limits."""
    from nni_emodarts.deploy.folder import open_network
    from nni_emodarts.deploy.model_card import write_model_card

    console.show_line(f"wrote {write_model_card(open_network(run, fold, seed))}")


def _show_answer(line: "Line") -> None:
    """Write a piece of a recogniser's answers to standard output, its notes or its error to standard error."""
    console.write_out(line.text)
    for note in line.notes:
        console.show_note(note)
    if line.error is not None:
        console.show_error(line.error)
