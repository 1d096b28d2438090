"""The command `emodarts`: a thin command for each arrow of the pipeline, which imports its room only when called."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.listing import ListingCommand
from nni_emodarts.errors import ConfigError, EmodartsError, machine_fault
from nni_emodarts.runtime.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from nni_emodarts.config import ExperimentConfig
    from nni_emodarts.data.manifest import Manifest as Table

app = typer.Typer(
    help="Search, retrain and measure networks that recognise emotions in speech (emoDARTS under NNI).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

space_app = typer.Typer(help="The space that a search chooses from.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(space_app, name="space")

Manifest = Annotated[str | None, typer.Option(help="The manifest (CSV), or `synthetic` for the embedded corpus.")]
Preset = Annotated[str | None, typer.Option(help="paper, compact or tiny; compact where nothing else says so.")]
Config = Annotated[Path | None, typer.Option(help="A YAML file laid over the preset.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting laid over both; repeatable.")
]
Protocol = Annotated[str | None, typer.Option(help="loso, session, kfold:K or official.")]
Strategy = Annotated[str | None, typer.Option(help="How to search: {strategies}; emodarts strategies says more.")]
BadAudio = Annotated[
    str | None, typer.Option(help="What to do where recordings cannot be used: refuse (the default) or skip.")
]
Out = Annotated[Path, typer.Option(help="The output folder.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in the output folder.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in the output folder.")]
Fold = Annotated[int | None, typer.Option(min=0, help="The network of this fold instead of the final one.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Likewise of this seed.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")]
Architecture = Annotated[Path, typer.Option(help="The architecture.json of a search, or its folder.")]

_MANY_TRIALS = 100  # of an experiment, above which a note says how many there are


def main() -> None:
    """Run the command line; an error that the user can mend is one message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no figure is lost for a sign that an encoding lacks
    try:
        app()
    except EmodartsError as error:
        console.show_error(str(error))
        raise SystemExit(2) from None
    except Exception as error:
        fault = machine_fault(error)
        if fault is None:
            raise
        console.show_error(fault)
        raise SystemExit(2) from None


@app.command(cls=ListingCommand)
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
    chosen = _load(preset, config, settings, manifest, protocol, strategy, bad_audio)
    from nni_emodarts.data.corpus import load_manifest, prepare
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
    make_fold(table, chosen.data.protocol, fold)  # faults are told before the recordings are read
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
        corpus = prepare(chosen.data, chosen.features, table, progress)
        task = FoldTask.of(chosen, corpus, fold, seed)
        folder = RunFolder.claim(out, resume, overwrite)
        architecture = run_search(task, folder, progress)
    console.show_skipped(len(corpus.skipped), out)
    metrics = folder.read_json(METRICS)
    if metrics.get("given_up"):
        console.show_line(f"the strategy brought nothing new after {metrics['candidates']} candidates")
    figure = f"validation UAR of the {_measured(chosen)} {metrics['val_uar']:.3f}"
    console.show_line(f"architecture {architecture.id}, {figure}: {out}")


@app.command()
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
    from nni_emodarts.runtime.run_folder import CARD, FINAL, RunFolder, architecture_file, config_beside

    architecture = architecture_file(architecture)
    arch = Arch.load(architecture)
    file = config or (config_beside(architecture) if preset is None else None)
    chosen = _load(preset, file, settings, manifest, protocol, bad_audio=bad_audio)
    from nni_emodarts.data.corpus import load_manifest, prepare
    from nni_emodarts.data.fold_task import fold_tasks
    from nni_emodarts.data.overlap import unheard
    from nni_emodarts.training.retrain import retrain as run_retrain
    from nni_emodarts.training.retrain import settle_space

    chosen = settle_space(chosen, arch, explicit=preset is not None or config is not None)
    table = load_manifest(chosen.data)
    _folds(folds or "all", table, chosen.data.protocol)  # faults are told before the recordings are read
    wanted_seeds = _numbers("seeds", seeds)
    RunFolder.check(out, resume, overwrite)
    with console.progress_bars() as progress:
        corpus = prepare(chosen.data, chosen.features, table, progress)
        wanted = _folds(folds or "all", corpus.manifest, chosen.data.protocol)
        if folds is None and not allow_overlap:
            wanted = _tell_left_out(wanted, unheard(arch.origin, corpus, wanted))
        folder = RunFolder.claim(out, resume, overwrite)
        tasks = fold_tasks(chosen, corpus, wanted, wanted_seeds)
        pooled = run_retrain(tasks, arch, folder, final=final, allow_overlap=allow_overlap, progress=progress)
    console.show_skipped(len(corpus.skipped), out)
    console.show_pooled(pooled)
    if final or folder.has(f"{FINAL}/{CARD}"):  # whose figures may be of more folds now
        from nni_emodarts.deploy.card import write_card
        from nni_emodarts.deploy.folder import open_network

        card = write_card(open_network(folder.path))
        console.show_line(f"network to ship: {card.parent}, described in {card.name}")


@app.command(cls=ListingCommand)
def experiment(
    out: Annotated[Path, typer.Option(help="The YAML file to write.")],
    manifest: Manifest = None,
    preset: Preset = None,
    config: Config = None,
    settings: Settings = None,
    protocol: Protocol = None,
    strategy: Strategy = None,
    bad_audio: BadAudio = None,
    folds: Annotated[str, typer.Option(help="Folds such as 0,2 or 0-3, or `all`.")] = "all",
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3.")] = "1",
    concurrency: Annotated[int, typer.Option(min=1, help="Trials at once.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write an NNI experiment that searches and retrains every fold; then: nnictl create --config FILE."""
    chosen = _load(preset, config, settings, manifest, protocol, strategy, bad_audio)
    from nni_emodarts.config import SYNTHETIC
    from nni_emodarts.data.corpus import load_manifest, prepare
    from nni_emodarts.nni_bridge.experiment import experiment_yaml
    from nni_emodarts.runtime.writing import check_output, write_output

    check_output(out, overwrite, "experiment.yml")
    table = load_manifest(chosen.data)
    wanted = _folds(folds, table, chosen.data.protocol)
    if chosen.data.bad_audio == "skip":
        # Folds are made of what can be used; the trials find the features in the store.
        with console.progress_bars() as progress:
            corpus = prepare(chosen.data, chosen.features, table, progress)
        wanted = _folds(folds, corpus.manifest, chosen.data.protocol)
        console.show_skipped(len(corpus.skipped), "each trial's folder")
    where = str(chosen.data.manifest)  # absolute, since a trial starts in a folder of NNI's
    words = ["--manifest", where, "--protocol", chosen.data.protocol]
    words += ["--preset", preset] if preset else []
    words += ["--config", str(config.resolve())] if config else []
    words += ["--strategy", strategy] if strategy else []
    words += ["--bad-audio", bad_audio] if bad_audio else []
    words += [word for setting in settings or () for word in ("--set", setting)]
    words += ["--set", f"data.cache={chosen.data.cache}"] if chosen.data.cache else []
    numbers = _numbers("seeds", seeds)
    trials = len(wanted) * len(numbers)
    if trials > _MANY_TRIALS:
        console.show_note(
            f"{len(wanted)} folds x {len(numbers)} seeds are {trials} trials, each with a search of its own; "
            f"--protocol kfold:6 makes six folds, --folds chooses some"
        )
    text = experiment_yaml(
        f"emoDARTS on {Path(where).parent.name if where != SYNTHETIC else 'the embedded corpus'}",
        words, wanted, numbers, concurrency,
    )  # fmt: skip
    write_output(out, text.encode())
    console.show_line(f"wrote {out}; now: nnictl create --config {out}   or: emodarts run {out}")


@app.command(cls=ListingCommand)
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
    chosen = _load(preset, config, settings, manifest, protocol, bad_audio=bad_audio)
    from nni_emodarts.benchmark import Method, Plan, compare
    from nni_emodarts.data.corpus import load_manifest, prepare
    from nni_emodarts.runtime.run_folder import RunFolder

    _folds(folds, load_manifest(chosen.data), chosen.data.protocol)  # faults are told before anything is computed
    listed = [Method(method.strip()) for method in methods.split(",")]
    for folder in (out, runs):
        RunFolder.check(folder, resume=True)
    with console.progress_bars() as progress:
        corpus = prepare(chosen.data, chosen.features, progress=progress)
        wanted = _folds(folds, corpus.manifest, chosen.data.protocol)
        plan = Plan(chosen, listed, wanted, _numbers("seeds", seeds))
        summary = compare(
            name, plan, out, runs / name, workers=workers, tell=console.Cells(progress), reference=reference,
            progress=progress, note=console.show_note,
        )  # fmt: skip
    console.show_skipped(len(corpus.skipped), "each network's folder")
    console.show_comparison(summary)


@app.command()
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
    chosen = _load(None, search_folder / CONFIG, settings, manifest, None)
    from nni_emodarts.data.corpus import prepare

    RunFolder.check(out, resume, overwrite)
    with console.progress_bars() as progress:
        corpus = prepare(chosen.data, chosen.features, progress=progress)
        folder = RunFolder.claim(out, resume, overwrite)
        found = run_study(chosen, corpus, searched, samples, folder, progress=progress)
    console.show_study(found)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The YAML file of an experiment.")],
    port: Annotated[int | None, typer.Option(help="Port of the web UI; a free one where absent.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the experiment up, for its web UI.")] = False,
) -> None:
    """Run an experiment through nnictl: wait for its trials, print the pooled table, and stop it."""
    from nni_emodarts.nni_bridge.experiment import expected_trials, pool_trials, started, wait

    expected = expected_trials(config)
    with started(config, port, keep) as manager:
        name = manager.profile()["id"]
        console.show_line(f"experiment {name} with {expected} trials; web UI: http://localhost:{manager.port}")
        with console.progress_bars() as progress:
            trials = wait(manager, expected, console.Trials(progress, expected))
    done = [trial for trial in trials if not trial.failed]
    if done:
        console.show_pooled(pool_trials([trial.folder for trial in done]))
        console.show_line(f"run folders  {done[0].folder.parent}")
    if keep:
        console.show_line(f"web UI       http://localhost:{manager.port}\nto stop it   nnictl stop {name}")
    else:
        console.show_line(f"web UI       stopped; again with: nnictl view {name} --port {manager.port}")
    failed = [trial for trial in trials if trial.failed]
    for trial in failed:
        console.show_error(f"trial {trial.parameters} failed; see trial.stderr and trial.log in {trial.folder}")
    if failed:
        raise typer.Exit(1)


@app.command("node-options")
def print_node_options() -> None:
    """Print what protects NNI's manager: export NODE_OPTIONS="$(emodarts node-options)" before nnictl create."""
    from nni_emodarts.nni_bridge.node_options import node_options

    typer.echo(node_options())


@app.command()
def results(
    where: Annotated[list[str], typer.Argument(help="The id of an NNI experiment, or folders of runs.")],
) -> None:
    """Print the pooled table of finished trials: the result of an experiment."""
    from nni_emodarts.nni_bridge.experiment import pool_trials, trial_folders

    console.show_pooled(pool_trials([folder for name in where for folder in trial_folders(name)]))


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A run folder, or a file that emodarts export wrote.")],
    files: Annotated[list[str], typer.Argument(help="Recordings of any format, rate and channel count.")],
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",  # noqa: A002
    fold: Fold = None,
    seed: Seed = None,
    over_time: Annotated[bool, typer.Option("--over-time", help="Window by window, for long recordings.")] = False,
    window: Annotated[float, typer.Option(help="Seconds of a window.")] = 3.0,
    overlap: Annotated[float, typer.Option(help="Share of a window that the next one repeats.")] = 0.5,
    batch_size: Annotated[int, typer.Option(min=1, help="Recordings at once; answers come batch by batch.")] = 1,
) -> None:
    """Recognise the emotion of recordings; a bad one is named and the others are answered all the same."""
    from nni_emodarts.deploy.answers import answers, make_writer
    from nni_emodarts.deploy.recogniser import EmotionRecognizer, Failure
    from nni_emodarts.deploy.windows import check_windows

    check_windows(window, overlap, None)
    make = make_writer(format)
    recognizer = EmotionRecognizer.load(model, fold, seed)
    writer = make(recognizer.labels, over_time)
    console.write_out(writer.head())
    failed = 0
    with console.answer_bars() as progress:
        for answer in answers(recognizer, files, batch_size, (window, overlap) if over_time else None, progress):
            if isinstance(answer, Failure):
                failed += 1
                console.show_error(str(answer.error))
                continue
            console.write_out(writer.line(answer))
            for note in answer.notes:
                console.show_note(f"{answer.file}: {note}")
    console.write_out(writer.tail())
    if failed:
        console.show_error(f"{failed} of {len(files)} recordings could not be recognised")
        raise typer.Exit(1)


@app.command("export")
def export_model(
    run: Annotated[Path, typer.Argument(help="A run folder, or the folder of one network.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    files: Annotated[list[str] | None, typer.Argument(help="Recordings on which losses are measured.")] = None,
    manifest: Annotated[str | None, typer.Option(help="The same, with their emotions: a manifest (CSV).")] = None,
    fold: Fold = None,
    seed: Seed = None,
    int8: Annotated[bool, typer.Option("--int8", help="Also write NAME.int8.onnx, with weights of 8 bits.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files.")] = False,
) -> None:
    """Write a network as one ONNX file, waveform in, probabilities out, with its model card beside it."""
    from nni_emodarts.deploy.folder import open_network
    from nni_emodarts.deploy.shipping import ship

    with console.progress_bars() as progress:
        report = ship(open_network(run, fold, seed), out, files or (), manifest, int8, overwrite, progress)
    console.show_export(report)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def card(
    run: Annotated[Path, typer.Argument(help="A run folder, or the folder of one network.")],
    fold: Fold = None,
    seed: Seed = None,
) -> None:
    """Write the model card of a network anew, beside its weights: data, figures, use and limits."""
    from nni_emodarts.deploy.card import write_card
    from nni_emodarts.deploy.folder import open_network

    console.show_line(f"wrote {write_card(open_network(run, fold, seed))}")


@app.command()
def draw(
    source: Annotated[
        Path, typer.Argument(help="An architecture.json, or the folder of a run that holds one.", metavar="RUN")
    ],
    out: Annotated[Path, typer.Option(help="The folder for the drawings.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the drawings in the folder.")] = False,
) -> None:
    """Draw an architecture: its cells and the whole network as SVG and PNG, and its search as a film."""
    from nni_emodarts.report.drawings.drawing import draw as run_draw

    with console.progress_bars() as progress:
        files = run_draw(source, out, overwrite, progress)
    console.show_line(f"wrote {', '.join(file.name for file in files)} to {out}")


@app.command()
def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Folders of runs, ids of NNI experiments, or JSON files of benchmarks; or NAME=any of them."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    audio: Annotated[bool, typer.Option("--audio", help="Put the sound of confused utterances into the page.")] = False,
    worst: Annotated[int, typer.Option(min=0, help="Confused utterances to list for each run.")] = 10,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write one page with everything about runs: results, confusions, drawings, the search as a film, configuration."""
    from nni_emodarts.report.page import report as run_report

    with console.progress_bars() as progress:
        file = run_report(runs, out, overwrite, audio, worst, progress)
    console.show_line(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")


@app.command()
def tensorboard(
    runs: Annotated[
        list[str], typer.Argument(help="Folders with runs in them, or ids of NNI experiments; or NAME=any of them.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Only write event files, to this folder, as far as the runs are.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the event files in the folder.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; a free one where absent.")] = None,
    browser: Browser = True,
) -> None:
    """Show what runs recorded by epoch in TensorBoard, while they run and afterwards; Ctrl+C ends it."""
    import webbrowser
    from contextlib import suppress

    from nni_emodarts.report.live.board import shown
    from nni_emodarts.report.live.events import write_events

    if out is not None:
        folders = write_events(runs, out, overwrite)
        console.show_line(f"wrote {len(folders)} event files; now: tensorboard --logdir {out}")
        return
    with suppress(KeyboardInterrupt), shown(runs, port) as board:
        console.show_line(f"TensorBoard: {board.address}; Ctrl+C ends it")
        if board.empty:
            console.show_note(f"nothing is recorded in {', '.join(runs)} yet; it appears once an epoch is over")
        if browser:
            webbrowser.open(board.address)
        board.follow()


@app.command()
def view(
    model: Annotated[
        Path, typer.Argument(help="An .onnx file, or a run folder that holds one.", metavar="MODEL_OR_RUN")
    ],
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; a free one where absent.")] = None,
    browser: Browser = True,
) -> None:
    """Show a network's graph in Netron, served from this machine alone (the extra `netron`); Ctrl+C ends it."""
    import threading
    import webbrowser
    from contextlib import suppress

    from nni_emodarts.report.live.viewer import find_graph, served

    graph = find_graph(model)
    with served(graph, port) as address, suppress(KeyboardInterrupt):
        console.show_line(f"{graph}: {address}; Ctrl+C ends it")
        if browser:
            webbrowser.open(address)
        threading.Event().wait()


@app.command()
def strategies() -> None:
    """List the search strategies: what each optimises, what it needs, its options with their defaults."""
    console.show_strategies()


@space_app.command()
def export(
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
    text = json.dumps(nni_search_space(_load(preset, config, settings, None, None).space), indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    check_output(out, overwrite, "search_space.json")
    write_output(out, text.encode())
    console.show_line(f"wrote {out}")


@app.command()
def corpora() -> None:
    """List the corpora that can be read: licence, where each is to be had, what it holds."""
    from nni_emodarts.data.corpora import corpus_names, load_corpus

    console.show_cards([load_corpus(name).CARD for name in corpus_names()])


@app.command(cls=ListingCommand)
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
    options = _pairs("option", option)
    for key, value in options.items():  # before one that is called like a parameter of the function is taken for it
        load_corpus(name).CARD.check_option(key, value)
    manifest = run_prepare(name, root, out, picked, _pairs("merge", merge), overwrite, **options)
    speakers = len(set(manifest.table["speaker"]) - {""})
    for note in manifest.notes:
        console.show_note(note)
    console.show_line(f"wrote {out}: {len(manifest)} utterances of {speakers} speakers; {', '.join(manifest.classes)}")


@app.command()
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


@app.command()
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


def _measured(config: "ExperimentConfig") -> str:
    """What a search's validation UAR was measured on."""
    from nni_emodarts.config.strategies import STRATEGIES

    return "supernet" if STRATEGIES[config.search.strategy].family == "one-shot" else "best candidate"


def _load(
    preset: str | None,
    file: Path | None,
    settings: list[str] | None,
    manifest: str | None,
    protocol: str | None,
    strategy: str | None = None,
    bad_audio: str | None = None,
) -> "ExperimentConfig":
    from nni_emodarts.config import load_config

    options = {
        "data.manifest": manifest, "data.protocol": protocol, "search.strategy": strategy, "data.bad_audio": bad_audio,
    }  # fmt: skip
    return load_config(preset, file, settings or (), options)


def _folds(text: str, manifest: "Table", protocol: str) -> list[int]:
    """The wanted folds; each can be made."""
    from nni_emodarts.data.protocols import count_folds, make_folds

    wanted = _numbers("folds", text, count_folds(manifest, protocol))
    make_folds(manifest, protocol, wanted)
    return wanted


def _tell_left_out(folds: list[int], unheard: list[int]) -> list[int]:
    """The folds to score on where none are named; with none left all are tried, and refused by name."""
    if not unheard or unheard == folds:
        return folds
    console.show_note(
        f"fold{'s' if len(unheard) > 1 else ''} {', '.join(map(str, unheard))} of {len(folds)}: the architecture's "
        f"search heard test speakers of the others"
    )
    return unheard


def _pairs(name: str, texts: list[str] | None) -> dict[str, str]:
    """`A=B` texts as a mapping."""
    pairs = [text.partition("=") for text in texts or ()]
    bad = [key for key, sign, value in pairs if not (key and sign and value)]
    if bad:
        raise ConfigError(f"{name}: {bad[0]!r} must read like key=value")
    return {key: value for key, _, value in pairs}


def _numbers(name: str, text: str, count: int | None = None) -> list[int]:
    """Numbers of a text such as `0,2-4`, or all below `count`."""
    if text == "all" and count is not None:
        return list(range(count))
    numbers: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            stretch = range(int(first), int(last or first) + 1)
            if not stretch:
                raise ConfigError(f"{name}: {part} runs backwards; write {last}-{first}")
            numbers += stretch
    except ValueError:
        raise ConfigError(f"{name}: {text!r} must read like 0,2 or 0-3{' or all' if count else ''}") from None
    if count is None and (large := [number for number in numbers if number > LARGEST_SEED]):
        raise ConfigError(f"{name}: {large[0]} is larger than {LARGEST_SEED}; name a smaller one")
    if count is not None and (outside := [number for number in numbers if not 0 <= number < count]):
        raise ConfigError(f"{name}: {outside[0]} is out of range; this protocol has folds 0 to {count - 1}")
    if not numbers or len(set(numbers)) < len(numbers):
        raise ConfigError(f"{name}: {text!r} must name at least one, and none twice")
    return numbers
