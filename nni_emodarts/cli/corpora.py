"""Commands for corpora and manifests: corpora, prepare, describe, synthesize."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import AllowOverlap, Out, pairs, words

if TYPE_CHECKING:
    from nni_emodarts.data.manifest import Manifest


def corpora() -> None:
    """List the corpora that can be read: licence, where each is to be had, what it holds."""
    from nni_emodarts.data.corpora import corpus_cards

    console.show_corpora(corpus_cards())


def prepare(
    name: Annotated[str, typer.Argument(help="The corpus: {corpora}; emodarts corpora says more.")],
    root: Annotated[Path, typer.Argument(help="The folder that holds it; for `csv` the table.")],
    out: Annotated[Path, typer.Option(help="The manifest to write.")],
    emotions: Annotated[str | None, typer.Option(help="Classes to keep, such as anger,sadness.")] = None,
    merge: Annotated[list[str] | None, typer.Option(metavar="A=B", help="Emotion A counts as B; repeatable.")] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the corpus.")] = None,
    folds: Annotated[
        str | None,
        typer.Option(
            metavar="emobox[:DIR]",
            help="Also write EmoBox's folds of the corpus beside the manifest; DIR is a checkout of EmoBox, needed "
            "where they follow no rule.",
        ),
    ] = None,
    allow_overlap: AllowOverlap = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the manifest.")] = False,
) -> None:
    """Write the manifest of a corpus as it is distributed; no audio is copied."""
    from nni_emodarts.data.corpora import write_manifest

    manifest = write_manifest(
        name, root, out,
        emotions=None if emotions is None else words(emotions), merge=pairs("merge", merge),
        options=pairs("option", option), folds=folds, allow_overlap=allow_overlap, overwrite=overwrite,
    )  # fmt: skip
    _show_manifest(manifest, out)
    if folds is not None:
        from nni_emodarts.data.corpora.emobox import SOURCE
        from nni_emodarts.data.corpora.preparation import folds_beside

        console.show_line(f"wrote {folds_beside(out)}: folds of {SOURCE}; take them by --protocol "
                          f"file:{folds_beside(out)}")  # fmt: skip


def describe(
    manifest: Annotated[
        str,
        typer.Argument(help="The manifest (CSV), or `synthetic` for the embedded corpus; several as one: A.csv,B.csv."),
    ],
    out: Annotated[Path | None, typer.Option(help="Also write all that is wrong to this CSV file.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Also say what is on both sides of its folds: file:FOLDS.csv, or any other protocol."),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(help="Columns that are dimensions, such as arousal,tension, where they are called otherwise."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the CSV file.")] = False,
) -> None:
    """Say what a manifest's recordings hold, and name what is wrong with them."""
    from nni_emodarts.data.describe import describe_manifest

    with console.progress_bars() as progress:
        description = describe_manifest(
            manifest, out, protocol=protocol, targets=words(targets) if targets else (), overwrite=overwrite,
            progress=progress,
        )  # fmt: skip
    console.show_description(description)
    if out is not None:
        console.show_line(f"wrote {out}")


def synthesize(
    out: Out,
    speakers: Annotated[int, typer.Option(help="Number of speakers.")] = 8,
    utterances: Annotated[int, typer.Option(help="Utterances of each class by each speaker.")] = 8,
    seed: Annotated[int, typer.Option(help="Other voices and takes.")] = 0,
) -> None:
    """Make the embedded synthetic corpus, or one of another size, as files."""
    from nni_emodarts.data.corpora.synthetic import make_corpus

    with console.progress_bars() as progress:
        manifest = make_corpus(out, speakers, utterances, seed, progress)
    console.show_line(f"wrote {manifest}")


def _show_manifest(manifest: "Manifest", where: object) -> None:
    """Print what a manifest that was written holds."""
    for note in manifest.notes:
        console.show_note(note)
    speakers = len(set(manifest.table["speaker"]) - {""})
    console.show_line(
        f"wrote {where}: {len(manifest)} utterances of {speakers} speakers; {', '.join(manifest.classes)}"
    )
