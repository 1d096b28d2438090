"""Commands for experiments under NNI: experiment, run, results, node-options."""

from pathlib import Path
from typing import Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import (
    BadAudio,
    Config,
    Manifest,
    Preset,
    Protocol,
    Settings,
    Strategy,
    fold_numbers,
    load,
    numbers,
)

_MANY_TRIALS = 100  # of an experiment, above which a note says how many there are


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
    chosen = load(preset, config, settings, manifest, protocol, strategy, bad_audio)
    from nni_emodarts.config import SYNTHETIC
    from nni_emodarts.data.corpus import load_manifest, prepare
    from nni_emodarts.nni_bridge.experiment import experiment_yaml
    from nni_emodarts.runtime.writing import check_output, write_output

    check_output(out, overwrite, "experiment.yml")
    table = load_manifest(chosen.data)
    wanted = fold_numbers(folds, table, chosen.data.protocol)
    if chosen.data.bad_audio == "skip":
        # Folds are made of what can be used; the trials find the features in the store.
        with console.progress_bars() as progress:
            corpus = prepare(chosen.data, chosen.features, table, progress)
        wanted = fold_numbers(folds, corpus.manifest, chosen.data.protocol)
        console.show_skipped(len(corpus.skipped), "each trial's folder")
    where = str(chosen.data.manifest)  # absolute, since a trial starts in a folder of NNI's
    words = ["--manifest", where, "--protocol", chosen.data.protocol]
    words += ["--preset", preset] if preset else []
    words += ["--config", str(config.resolve())] if config else []
    words += ["--strategy", strategy] if strategy else []
    words += ["--bad-audio", bad_audio] if bad_audio else []
    words += [word for setting in settings or () for word in ("--set", setting)]
    words += ["--set", f"data.cache={chosen.data.cache}"] if chosen.data.cache else []
    wanted_seeds = numbers("seeds", seeds)
    trials = len(wanted) * len(wanted_seeds)
    if trials > _MANY_TRIALS:
        console.show_note(
            f"{len(wanted)} folds x {len(wanted_seeds)} seeds are {trials} trials, each with a search of its own; "
            f"--protocol kfold:6 makes six folds, --folds chooses some"
        )
    text = experiment_yaml(
        f"emoDARTS on {Path(where).parent.name if where != SYNTHETIC else 'the embedded corpus'}",
        words, wanted, wanted_seeds, concurrency,
    )  # fmt: skip
    write_output(out, text.encode())
    console.show_line(f"wrote {out}; now: nnictl create --config {out}   or: emodarts run {out}")


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


def results(
    where: Annotated[list[str], typer.Argument(help="The id of an NNI experiment, or folders of runs.")],
) -> None:
    """Print the pooled table of finished trials: the result of an experiment."""
    from nni_emodarts.nni_bridge.experiment import pool_trials, trial_folders

    console.show_pooled(pool_trials([folder for name in where for folder in trial_folders(name)]))


def print_node_options() -> None:
    """Print what protects NNI's manager: export NODE_OPTIONS="$(emodarts node-options)" before nnictl create."""
    from nni_emodarts.nni_bridge.node_options import node_options

    typer.echo(node_options())
