"""Commands that search and train: search, retrain, study, benchmark, strategies, space export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nni_emodarts.cli import comparing, console
from nni_emodarts.cli.launching import launchable
from nni_emodarts.cli.options import (
    AllowOverlap,
    AllowUnfit,
    Architecture,
    BadAudio,
    Config,
    Devices,
    FrontEnd,
    Manifest,
    Nodes,
    Out,
    Overwrite,
    Preset,
    Protocol,
    Resume,
    Settings,
    Strategy,
    TestLeaveOut,
    TestManifests,
    TestMerge,
    TestScale,
    Weights,
    asked_for,
    fold_numbers,
    insisting,
    load,
    seed_numbers,
    sharing,
    words,
)
from nni_emodarts.cli.other_corpora import show_corpora_figures, show_methods_elsewhere
from nni_emodarts.errors import ConfigError
from nni_emodarts.launching import Launch
from nni_emodarts.metrics.decision import describe_decision, describe_probes
from nni_emodarts.metrics.headline import headline_of
from nni_emodarts.runtime.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from nni_emodarts.search.start import Searched


def search(
    out: Out,
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    strategy: Strategy = None,
    bad_audio: BadAudio = None,
    front_end: FrontEnd = None,
    allow_unfit: AllowUnfit = False,
    allow_overlap: AllowOverlap = False,
    fold: Annotated[int, typer.Option(min=0, help="The fold whose training speakers are searched on.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything random.")] = 1,
    devices: Devices = None,
    nodes: Nodes = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Search an architecture on the training speakers of one fold."""
    settings = sharing(insisting(settings, allow_unfit, allow_overlap), devices, nodes)
    chosen = load(preset, config, settings, manifest, protocol, strategy, bad_audio, front_end)
    from nni_emodarts.search.start import run_search

    with console.progress_bars() as progress:
        found = run_search(
            chosen, out, fold=fold, seed=seed, resume=resume, overwrite=overwrite, progress=progress,
            note=console.show_note,
        )  # fmt: skip
    _show_search(found, out)


@launchable
def retrain(
    architecture: Architecture,
    out: Out,
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    bad_audio: BadAudio = None,
    front_end: FrontEnd = None,
    allow_unfit: AllowUnfit = False,
    folds: Annotated[
        str | None,
        typer.Option(
            help="Folds such as 0,2 or 0-3, 2- for all from 2 on, or `all`; where absent, those whose test speakers "
            "the search never heard."
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3.")] = "1",
    final: Annotated[bool, typer.Option("--final", help="Also train the network to ship, on all speakers.")] = False,
    allow_overlap: Annotated[
        bool,
        typer.Option(
            "--allow-overlap",
            help="Score on speakers that the search saw, or that a list of folds has on both sides; mark the figures.",
        ),
    ] = False,
    test_manifest: TestManifests = None,
    test_merge: TestMerge = None,
    test_leave_out: TestLeaveOut = None,
    test_scale: TestScale = None,
    devices: Devices = None,
    nodes: Nodes = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    launch: Launch | None = None,
) -> None:
    """Retrain an architecture over folds and seeds, and pool the test predictions.

    Settings come from --preset or --config, else from the config.yml beside the architecture.
    """
    from nni_emodarts.models.architecture import Architecture as Arch
    from nni_emodarts.runtime.run_folder import architecture_file, config_beside, corpus_beside

    file = architecture_file(architecture)
    arch = Arch.load(file)
    settings = sharing(insisting(settings, allow_unfit, allow_overlap), devices, nodes)
    chosen = load(
        preset, config or (config_beside(file) if preset is None else None), settings, manifest, protocol,
        bad_audio=bad_audio, front_end=front_end,
    )  # fmt: skip
    from nni_emodarts.training.retrain import run_retrain

    with console.progress_bars() as progress:
        done = run_retrain(
            chosen, arch, out,
            folds=fold_numbers(folds or "all"), seeds=seed_numbers(seeds), final=final,
            same_space=preset is not None or config is not None, only_unheard=folds is None and not allow_overlap,
            allow_overlap=allow_overlap, asked=asked_for(test_manifest, test_merge, test_leave_out, test_scale),
            searched_on=corpus_beside(file), resume=resume, overwrite=overwrite, launch=launch,
            progress=progress, note=console.show_note,
        )  # fmt: skip
    console.show_skipped(done.skipped, out)
    console.show_pooled(done.pooled)
    if "other_corpora" in done.pooled:
        show_corpora_figures(done.pooled["other_corpora"], done.pooled)
    if done.described:  # whose figures may be of more folds now
        from nni_emodarts.deploy.folder import open_network
        from nni_emodarts.deploy.model_card import write_model_card

        card = write_model_card(open_network(out))
        console.show_line(f"network to ship: {card.parent}, described in {card.name}")


def study(
    search_folder: Annotated[Path, typer.Argument(help="The --out folder of a finished search.", metavar="SEARCH")],
    out: Out,
    manifest: Manifest = None,
    settings: Settings = None,
    allow_unfit: AllowUnfit = False,
    front_end: Weights = None,
    samples: Annotated[int, typer.Option(min=2, help="Random architectures to train at least.")] = 10,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Tell whether a search was any good: its architecture among random ones, at the same recipe and cost."""
    from nni_emodarts.models.readable import check_readable

    check_readable([search_folder])  # a broken one is refused before seconds of imports
    from nni_emodarts.benchmark.study import run_study

    with console.progress_bars() as progress:
        found = run_study(
            search_folder, out, manifest=manifest, settings=insisting(settings, allow_unfit), front_end=front_end,
            samples=samples, resume=resume, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    console.show_study(found)


def ensemble(
    searches: Annotated[
        list[Path],
        typer.Argument(help="Folders of finished searches by trials with search.estimate.", metavar="SEARCH..."),
    ],
    out: Out,
    manifest: Manifest = None,
    settings: Settings = None,
    front_end: Weights = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the members' trainings.")] = 1,
    distil: Annotated[
        bool, typer.Option("--distil", help="Also train one network a fold that learns from its ensemble, to ship.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Let the candidates of searches answer together: members are picked by training speakers they had not heard."""
    from nni_emodarts.search.ensemble import run_ensemble

    with console.progress_bars() as progress:
        done = run_ensemble(
            searches, out, manifest=manifest, settings=settings or (), front_end=front_end, seed=seed, distil=distil,
            resume=resume, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    console.show_pooled(done.pooled)
    if done.distilled is not None:
        from nni_emodarts.metrics.headline import headline_of

        headline = headline_of(done.pooled)
        own, all_of_them = (figures[headline.test] or 0.0 for figures in (done.distilled, done.pooled))
        console.show_line(
            f"one network that learnt from each ensemble: test {headline.name} {own:.3f}, {own - all_of_them:+.3f} "
            f"against the ensembles: {out / 'distilled'}"
        )


@launchable
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
    front_end: FrontEnd = None,
    allow_unfit: AllowUnfit = False,
    allow_overlap: AllowOverlap = False,
    folds: Annotated[str, typer.Option(help="Folds such as 0,2 or 0-3, 2- for all from 2 on, or `all`.")] = "all",
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3.")] = "1",
    workers: Annotated[int, typer.Option(min=1, help="Cells at once.")] = 1,
    runs: Annotated[Path, typer.Option(help="Folder for the run folders behind the figures.")] = Path("runs/benchmark"),
    reference: Annotated[
        str | None, typer.Option(help="The method that the others are compared with; darts, or the last.")
    ] = None,
    test_manifest: TestManifests = None,
    test_merge: TestMerge = None,
    test_leave_out: TestLeaveOut = None,
    test_scale: TestScale = None,
    launch: Launch | None = None,
) -> None:
    """Compare methods: search inside each fold, retrain by one recipe, pool, with intervals over speakers."""
    settings = insisting(settings, allow_unfit, allow_overlap)
    chosen = load(preset, config, settings, manifest, protocol, bad_audio=bad_audio, front_end=front_end)
    from nni_emodarts.benchmark.run import run_benchmark

    with console.progress_bars() as progress:
        summary, skipped = run_benchmark(
            name, chosen, words(methods), out, runs,
            folds=fold_numbers(folds), seeds=seed_numbers(seeds), workers=workers, launch=launch,
            reference=reference, asked=asked_for(test_manifest, test_merge, test_leave_out, test_scale),
            tell=console.Cells(progress), progress=progress, note=console.show_note,
        )  # fmt: skip
    console.show_skipped(skipped, "each network's folder")
    comparing.show_comparison(summary)
    show_methods_elsewhere(summary)


def strategies() -> None:
    """List the search strategies: what each optimises, what it needs, its options with their defaults."""
    console.show_strategies()


def export_space(
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    front_end: FrontEnd = None,
    format: Annotated[str, typer.Option(help="nni: a flat search space for NNI's tuners.")] = "nni",  # noqa: A002
    out: Annotated[Path | None, typer.Option(help="The JSON file to write; printed where absent.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write the space as data that others can choose from: label -> choices, a node's two inputs as one, like 0+2."""
    import json

    from nni_emodarts.data.front_ends.pinning import with_levels
    from nni_emodarts.models.flat_space import nni_search_space
    from nni_emodarts.runtime.writing import check_output, write_output

    if format != "nni":
        raise ConfigError(f"format: {format!r} is unknown; known: nni")
    chosen = with_levels(load(preset, config, settings, None, None, front_end=front_end))
    text = json.dumps(nni_search_space(chosen.space), indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    check_output(out, overwrite, "search_space.json")
    write_output(out, text.encode())
    console.show_line(f"wrote {out}")


def _show_search(found: "Searched", where: object) -> None:
    """Print what a search found."""
    from nni_emodarts.metrics.reliability import described_estimate

    metrics = found.metrics
    if found.earlier:
        console.show_line(f"{where} holds a finished search; nothing to do")
        return
    console.show_skipped(found.skipped, where)
    if metrics.get("given_up"):
        console.show_line(f"the strategy brought nothing new after {metrics['candidates']} candidates")
    for line in (*describe_probes(metrics), *described_estimate(metrics)):
        console.show_line(line)
    candidate = "candidate taken" if "estimate" in metrics else "best candidate"
    measured = candidate if "candidates" in metrics else "supernet"
    chosen = headline_of(metrics)
    figure = f"validation {chosen.name} of the {measured} {metrics[chosen.val]:.3f}{console.of_track(metrics)}"
    console.show_line(f"architecture {found.architecture.id}, {figure}: {where}")
    if told := describe_decision(metrics):
        console.show_line(told)
