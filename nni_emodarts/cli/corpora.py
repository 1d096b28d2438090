"""Commands for corpora and manifests: corpora, prepare, describe, synthesize."""

from pathlib import Path
from typing import Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import Out, pairs


def corpora() -> None:
    """List the corpora that can be read: licence, where each is to be had, what it holds."""
    from nni_emodarts.data.corpora import corpus_names, load_corpus

    console.show_corpora([load_corpus(name).CARD for name in corpus_names()])


def prepare(
    name: Annotated[str, typer.Argument(help="The corpus: {corpora}; emodarts corpora says more.")],
    root: Annotated[Path, typer.Argument(help="The folder that holds it; for `csv` the table.")],
    out: Annotated[Path, typer.Option(help="The manifest to write.")],
    emotions: Annotated[str | None, typer.Option(help="Classes to keep, such as anger,sadness.")] = None,
    merge: Annotated[list[str] | None, typer.Option(metavar="A=B", help="Emotion A counts as B; repeatable.")] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the corpus.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the manifest.")] = False,
) -> None:
    """Write the manifest of a corpus as it is distributed; no audio is copied."""
    from nni_emodarts.data.corpora import load_corpus
    from nni_emodarts.data.corpora import prepare as run_prepare

    picked = None if emotions is None else [emotion.strip() for emotion in emotions.split(",")]
    options = pairs("option", option)
    for key, value in options.items():  # before one that is called like a parameter of the function is taken for it
        load_corpus(name).CARD.check_option(key, value)
    manifest = run_prepare(name, root, out, picked, pairs("merge", merge), overwrite, **options)
    speakers = len(set(manifest.table["speaker"]) - {""})
    for note in manifest.notes:
        console.show_note(note)
    console.show_line(f"wrote {out}: {len(manifest)} utterances of {speakers} speakers; {', '.join(manifest.classes)}")


def describe(
    manifest: Annotated[str, typer.Argument(help="The manifest (CSV), or `synthetic` for the embedded corpus.")],
    out: Annotated[Path | None, typer.Option(help="Also write all that is wrong to this CSV file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the CSV file.")] = False,
) -> None:
    """Say what a manifest's recordings hold, and name what is wrong with them."""
    from nni_emodarts.config import SYNTHETIC
    from nni_emodarts.data.corpora.synthetic import ensure_corpus
    from nni_emodarts.data.describe import describe as run_describe
    from nni_emodarts.data.describe import write_findings
    from nni_emodarts.data.manifest import read_manifest
    from nni_emodarts.runtime.cache import default_cache
    from nni_emodarts.runtime.writing import check_output

    if out is not None:
        check_output(out, overwrite, "findings.csv")
    table = read_manifest(ensure_corpus(default_cache()) if manifest == SYNTHETIC else manifest)
    with console.progress_bars() as progress:
        description = run_describe(table, progress=progress)
    console.show_description(description)
    if out is not None:
        write_findings(description, out)
        console.show_line(f"wrote {out}")


def synthesize(
    out: Out,
    speakers: Annotated[int, typer.Option(help="Number of speakers.")] = 8,
    utterances: Annotated[int, typer.Option(help="Utterances of each class by each speaker.")] = 8,
    seed: Annotated[int, typer.Option(help="Other voices and takes.")] = 0,
) -> None:
    """Make the embedded synthetic corpus, or one of another size, as files."""
    from nni_emodarts.data.corpora.synthetic import make_corpus
    from nni_emodarts.runtime.run_folder import RunFolder

    with console.progress_bars() as progress:
        manifest = make_corpus(RunFolder.claim(out).path, speakers, utterances, seed, progress)
    console.show_line(f"wrote {manifest}")
