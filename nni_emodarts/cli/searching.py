"""Commands that search and train: search, retrain, study, benchmark, strategies, space export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import (
    Architecture,
    BadAudio,
    Config,
    Manifest,
    Out,
    Overwrite,
    Preset,
    Protocol,
    Resume,
    Settings,
    Strategy,
    fold_numbers,
    load,
    seed_numbers,
)
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from nni_emodarts.config import ExperimentConfig


def search(
    out: Out,
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    strategy: Strategy = None,
    bad_audio: BadAudio = None,
    fold: Annotated[int, typer.Option(min=0, help="The fold whose training speakers are searched on.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")] = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Search an architecture on the training speakers of one fold."""
    chosen = load(preset, config, settings, manifest, protocol, strategy, bad_audio)
    from nni_emodarts.data.corpus import load_corpus, load_manifest
    from nni_emodarts.data.fold_task import FoldTask
    from nni_emodarts.data.protocols import make_fold
    from nni_emodarts.runtime.run_folder import (
        CANDIDATE_FOLDERS,
        CHECKPOINT,
        CORPUS,
        METRICS,
        RunFolder,
        refuse_other,
        refuse_other_settings,
    )

    table = load_manifest(chosen.data)
    make_fold(table, chosen.data.protocol, fold)  # before the recordings are read
    RunFolder.check(out, resume, overwrite)
    if resume and not overwrite:
        refuse_other_settings(RunFolder(out), chosen.to_yaml())
    if not overwrite and RunFolder(out).has(METRICS):
        refuse_other("search", RunFolder(out), RunFolder(out).read_json(METRICS), {"fold": fold, "seed": seed})
        if RunFolder(out).has(CORPUS):
            refuse_other("search", RunFolder(out), RunFolder(out).read_json(CORPUS), {"manifest": table.digest})
        console.show_line(f"{out} holds a finished search; nothing to do")
        return
    if resume and not any(RunFolder(out).has(name) for name in (CHECKPOINT, CANDIDATE_FOLDERS)):
        console.show_line(f"{out} holds nothing to go on with: the search starts over", to=console.err)
    from nni_emodarts.search.run import search as run_search

    with console.progress_bars() as progress:
        corpus = load_corpus(chosen, table, progress)
        task = FoldTask.of(chosen, corpus, fold, seed)
        folder = RunFolder.claim(out, resume, overwrite)
        architecture = run_search(task, folder, progress)
    console.show_skipped(len(corpus.skipped), out)
    metrics = folder.read_json(METRICS)
    if metrics.get("given_up"):
        console.show_line(f"the strategy brought nothing new after {metrics['candidates']} candidates")
    figure = f"validation UAR of the {_measured(chosen)} {metrics['val_uar']:.3f}"
    console.show_line(f"architecture {architecture.id}, {figure}: {out}")


def retrain(
    architecture: Architecture,
    out: Out,
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    bad_audio: BadAudio = None,
    folds: Annotated[
        str | None,
        typer.Option(
            help="Folds such as 0,2 or 0-3, or `all`; where absent, those whose test speakers the search never heard."
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3.")] = "1",
    final: Annotated[bool, typer.Option("--final", help="Also train the network to ship, on all speakers.")] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Score on speakers that the search saw, and mark the figures.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Retrain an architecture over folds and seeds, and pool the test predictions.

    Settings come from --preset or --config, else from the config.yml beside the architecture.
    """
    from nni_emodarts.models.architecture import Architecture as Arch
    from nni_emodarts.runtime.run_folder import FINAL, MODEL_CARD, RunFolder, architecture_file, config_beside

    architecture = architecture_file(architecture)
    arch = Arch.load(architecture)
    file = config or (config_beside(architecture) if preset is None else None)
    chosen = load(preset, file, settings, manifest, protocol, bad_audio=bad_audio)
    from nni_emodarts.data.corpus import load_corpus, load_manifest
    from nni_emodarts.data.fold_task import fold_tasks
    from nni_emodarts.data.overlap import unheard
    from nni_emodarts.data.protocols import make_folds
    from nni_emodarts.training.retrain import retrain as run_retrain
    from nni_emodarts.training.retrain import settle_space

    chosen = settle_space(chosen, arch, explicit=preset is not None or config is not None)
    table = load_manifest(chosen.data)
    named, wanted_seeds = fold_numbers(folds or "all"), seed_numbers(seeds)
    make_folds(table, chosen.data.protocol, named)  # before the recordings are read
    RunFolder.check(out, resume, overwrite)
    with console.progress_bars() as progress:
        corpus = load_corpus(chosen, table, progress)
        wanted = [fold.index for fold in make_folds(corpus.manifest, chosen.data.protocol, named)]
        if folds is None and not allow_overlap:
            wanted = _tell_left_out(wanted, unheard(arch.origin, corpus, wanted))
        folder = RunFolder.claim(out, resume, overwrite)
        tasks = fold_tasks(chosen, corpus, wanted, wanted_seeds)
        pooled = run_retrain(tasks, arch, folder, final=final, allow_overlap=allow_overlap, progress=progress)
    console.show_skipped(len(corpus.skipped), out)
    console.show_pooled(pooled)
    if final or folder.has(f"{FINAL}/{MODEL_CARD}"):  # whose figures may be of more folds now
        from nni_emodarts.deploy.folder import open_network
        from nni_emodarts.deploy.model_card import write_model_card

        card = write_model_card(open_network(folder.path))
        console.show_line(f"network to ship: {card.parent}, described in {card.name}")


def study(
    search_folder: Annotated[Path, typer.Argument(help="The --out folder of a finished search.", metavar="SEARCH")],
    out: Out,
    manifest: Manifest = None,
    settings: Settings = None,
    samples: Annotated[int, typer.Option(min=2, help="Random architectures to train at least.")] = 10,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Tell whether a search was any good: its architecture among random ones, at the same recipe and cost."""
    from nni_emodarts.benchmark.study import read_search
    from nni_emodarts.benchmark.study import study as run_study
    from nni_emodarts.runtime.run_folder import CONFIG, RunFolder

    searched = read_search(RunFolder(search_folder))
    chosen = load(None, search_folder / CONFIG, settings, manifest, None)
    from nni_emodarts.data.corpus import load_corpus

    RunFolder.check(out, resume, overwrite)
    with console.progress_bars() as progress:
        corpus = load_corpus(chosen, progress=progress)
        folder = RunFolder.claim(out, resume, overwrite)
        found = run_study(chosen, corpus, searched, samples, folder, progress=progress)
    console.show_study(found)


def benchmark(
    methods: Annotated[
        str,
        typer.Option(help="What to compare, such as darts,random_search,cnn_lstm; known: {methods}."),
    ],
    name: Annotated[str, typer.Option(help="Name of the comparison: corpus and protocol, such as emodb4-loso.")],
    out: Annotated[Path, typer.Option(help="Folder for figures; what it holds already is not computed again.")],
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    bad_audio: BadAudio = None,
    folds: Annotated[str, typer.Option(help="Folds such as 0,2 or 0-3, or `all`.")] = "all",
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3.")] = "1",
    workers: Annotated[int, typer.Option(min=1, help="Cells at once.")] = 1,
    runs: Annotated[Path, typer.Option(help="Folder for the run folders behind the figures.")] = Path("runs/benchmark"),
    reference: Annotated[
        str | None, typer.Option(help="The method that the others are compared with; darts, or the last.")
    ] = None,
) -> None:
    """Compare methods: search inside each fold, retrain by one recipe, pool, with intervals over speakers."""
    chosen = load(preset, config, settings, manifest, protocol, bad_audio=bad_audio)
    from nni_emodarts.benchmark import Method, compare
    from nni_emodarts.data.corpus import load_corpus, load_manifest
    from nni_emodarts.data.protocols import make_folds
    from nni_emodarts.runtime.run_folder import RunFolder

    named = fold_numbers(folds)
    make_folds(load_manifest(chosen.data), chosen.data.protocol, named)  # before anything is computed
    listed = [Method(method.strip()) for method in methods.split(",")]
    for folder in (out, runs):
        RunFolder.check(folder, resume=True)
    with console.progress_bars() as progress:
        corpus = load_corpus(chosen, progress=progress)
        wanted = [fold.index for fold in make_folds(corpus.manifest, chosen.data.protocol, named)]
        summary = compare(
            name, chosen, listed, wanted, seed_numbers(seeds), out, runs / name, workers,
            console.Cells(progress), reference, progress,
        )  # fmt: skip
    console.show_skipped(len(corpus.skipped), "each network's folder")
    console.show_comparison(summary)


def strategies() -> None:
    """List the search strategies: what each optimises, what it needs, its options with their defaults."""
    console.show_strategies()


def export_space(
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    format: Annotated[str, typer.Option(help="nni: a flat search space for NNI's tuners.")] = "nni",  # noqa: A002
    out: Annotated[Path | None, typer.Option(help="The JSON file to write; printed where absent.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write the space as data that others can choose from: label -> choices, a node's two inputs as one, like 0+2."""
    import json

    from nni_emodarts.models.flat_space import nni_search_space
    from nni_emodarts.runtime.writing import check_output, write_output

    if format != "nni":
        raise ConfigError(f"format: {format!r} is unknown; known: nni")
    text = json.dumps(nni_search_space(load(preset, config, settings, None, None).space), indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    check_output(out, overwrite, "search_space.json")
    write_output(out, text.encode())
    console.show_line(f"wrote {out}")


def _measured(config: "ExperimentConfig") -> str:
    """What a search's validation UAR was measured on."""
    from nni_emodarts.config.strategies import STRATEGIES

    return "supernet" if STRATEGIES[config.search.strategy].family == "one-shot" else "best candidate"


def _tell_left_out(folds: list[int], unheard: list[int]) -> list[int]:
    """The folds to score on where none are named; with none left all are tried, and refused by name."""
    if not unheard or unheard == folds:
        return folds
    console.show_note(
        f"fold{'s' if len(unheard) > 1 else ''} {', '.join(map(str, unheard))} of {len(folds)}: the architecture's "
        f"search heard test speakers of the others"
    )
    return unheard
