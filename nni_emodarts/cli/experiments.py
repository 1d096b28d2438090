"""Commands for experiments under NNI: experiment, run, results, node-options."""

import shlex
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Annotated

import typer

from nni_emodarts.cli import console
from nni_emodarts.cli.options import (
    AllowOverlap,
    AllowUnfit,
    BadAudio,
    Config,
    FrontEnd,
    Manifest,
    Preset,
    Protocol,
    Settings,
    Strategy,
    fold_numbers,
    insisting,
    load,
    seed_numbers,
    trial_arguments,
)
from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.notation import count_text

if TYPE_CHECKING:
    from nni_emodarts.nni_bridge.experiment import Outcome
    from nni_emodarts.nni_bridge.experiment_file import Asked, Plan
    from nni_emodarts.nni_bridge.remote.machines import Remote

_SHOWN = 5  # folds that are named
_REASONS = {
    "SUCCEEDED": "gave no figure",
    "EARLY_STOPPED": "was stopped early",
    "USER_CANCELED": "was cancelled or killed (used-up memory is a reason)",
}
"""What became of a trial without a result, by NNI's word."""
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
    front_end: FrontEnd = None,
    allow_unfit: AllowUnfit = False,
    allow_overlap: AllowOverlap = False,
    folds: Annotated[str, typer.Option(help="Folds such as 0,2 or 0-3, 2- for all from 2 on, or `all`.")] = "all",
    seeds: Annotated[str, typer.Option(help="Seeds such as 1,2,3.")] = "1",
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Trials at once; where absent one, or one a machine.")
    ] = None,
    machines: Annotated[
        Path | None, typer.Option(help="A YAML list of other machines (host, user, sshKeyFile, ...) for the trials.")
    ] = None,
    shared: Annotated[
        Path | None, typer.Option(help="A folder that all machines share, for run folders and features.")
    ] = None,
    manager_ip: Annotated[
        str | None, typer.Option(help="The address of this machine at which the others reach it, if not the usual one.")
    ] = None,
    gpus: Annotated[
        int, typer.Option(min=0, help="GPUs of each trial on other machines; 0 to let trials take what they find.")
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write an NNI experiment that searches and retrains every fold; then: emodarts run FILE, or nnictl create."""
    remote = _remote(machines, shared, manager_ip, gpus)
    settings = insisting(settings, allow_unfit, allow_overlap)
    chosen = load(preset, config, settings, manifest, protocol, strategy, bad_audio, front_end)
    from nni_emodarts.search.plan import write_experiment

    with console.progress_bars() as progress:
        plan = write_experiment(
            out, chosen, trial_arguments(preset, config, settings, strategy, bad_audio, front_end),
            folds=fold_numbers(folds), seeds=seed_numbers(seeds), remote=remote,
            concurrency=concurrency or (1 if remote is None else len(remote.machines)),
            overwrite=overwrite, progress=progress, note=console.show_note,
        )  # fmt: skip
    _show_plan(plan, out, remote)


def run(
    config: Annotated[Path, typer.Argument(help="The YAML file of an experiment.")],
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the web UI; a free one where absent.")
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Where the web UI listens: 127.0.0.1, this machine alone, or 0.0.0.0, every address, which lets "
            "whoever reaches it run commands as you."
        ),
    ] = "127.0.0.1",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the experiment up, for its web UI.")] = False,
) -> None:
    """Run an experiment through nnictl: wait for its trials, print the pooled table, and stop it."""
    from nni_emodarts.nni_bridge.experiment import run_experiment

    exposed = _exposed(host)
    with console.progress_bars() as progress:
        outcome = run_experiment(
            config, port, host=host, keep=keep, show=console.Trials(progress),
            begun=lambda name, port, asked: _show_experiment(name, port, asked, exposed),
        )  # fmt: skip
    _show_outcome(outcome, keep)
    if not outcome.whole:
        raise typer.Exit(1)


def results(
    where: Annotated[list[str], typer.Argument(help="The id of an NNI experiment, or folders of runs.")],
) -> None:
    """Print the pooled table of finished trials: the result of an experiment."""
    from nni_emodarts.nni_bridge.pooling import pool_trials, trial_folders

    console.show_pooled(pool_trials([folder for name in where for folder in trial_folders(name)]))


def print_node_options() -> None:
    """Print what guards NNI's manager: export NODE_OPTIONS="$(emodarts node-options)" before nnictl create."""
    from nni_emodarts.nni_bridge.node_options import node_options

    typer.echo(node_options())


def _remote(machines: Path | None, shared: Path | None, manager_ip: str | None, gpus: int) -> "Remote | None":
    """Where trials are to run, if not here.

    Raises:
        ConfigError: something is given that only other machines need, and no machines.
        ExperimentError: the list of machines has faults.
    """
    if machines is None:
        given = {"--shared": shared, "--manager-ip": manager_ip, "--gpus": gpus}
        if names := [name for name, value in given.items() if value]:
            raise ConfigError(f"{names[0]} is for trials on other machines; list them by --machines machines.yml")
        return None
    from nni_emodarts.nni_bridge.remote.checks import address_towards
    from nni_emodarts.nni_bridge.remote.machines import Remote, read_machines

    found = read_machines(machines)
    return Remote(found, manager_ip or address_towards(found), shared and shared.absolute(), gpus)


def _show_plan(plan: "Plan", file: object, remote: "Remote | None" = None) -> None:
    """Print what an experiment that was written will compute."""
    console.show_skipped(plan.skipped, "each trial's folder")
    if plan.trials > _MANY_TRIALS:
        console.show_note(
            f"{plan.folds} folds x {plan.seeds} seeds are {plan.trials} trials, each with a search of its own; "
            f"--protocol kfold:6 makes six folds, --folds chooses some"
        )
    quoted = shlex.quote(str(file))
    if remote is None:
        console.show_line(f"wrote {file}; now: nnictl create --config {quoted}   or: emodarts run {quoted}")
        return
    where = "come with the results" if remote.shared is None else f"lie in {remote.shared}"
    console.show_line(
        f"wrote {file} for {count_text(len(remote.machines), 'machine')}; figures {where}; now: emodarts run {quoted}"
    )


def _exposed(host: str) -> bool:
    """Whether NNI's manager is to listen at every address, which is warned of.

    Raises:
        ConfigError: it is to listen at one at which NNI itself does not look for it.
    """
    from nni_emodarts.nni_bridge.manager_environment import EVERY_ADDRESS, THIS_MACHINE

    if host not in (THIS_MACHINE, EVERY_ADDRESS):
        raise ConfigError(
            f"host: {host!r} is not among {THIS_MACHINE} and {EVERY_ADDRESS}; NNI looks for its manager at localhost"
        )
    if host == EVERY_ADDRESS:
        console.show_note(
            f"WARNING: NNI asks for no login, and whoever reaches its port can run commands as you. --host {host} is "
            f"for trials on other machines behind a firewall; to look on from elsewhere take ssh -L"
        )
    return host == EVERY_ADDRESS


def _show_experiment(name: str, port: int, asked: "Asked", exposed: bool) -> None:
    """Print that an experiment runs, where it can be watched, and who reaches it."""
    console.show_line(f"experiment {name} with {asked.trials} trials; web UI: http://localhost:{port}")
    if asked.remote is not None:
        hosts = ", ".join(machine.host for machine in asked.remote.machines)
        console.show_line(f"its manager listens at {asked.remote.manager}:{port} as well, for {hosts} alone")
    if not exposed:
        console.show_line(f"from elsewhere: ssh -L {port}:localhost:{port} {gethostname()}, then the same address")


def _show_outcome(outcome: "Outcome", keep: bool) -> None:
    """Print what an experiment came to, and how its web UI is shown again, or stopped where it was kept."""
    if outcome.pooled is not None:
        console.show_pooled(outcome.pooled)
        console.show_line(f"run folders  {outcome.folders[0].parent}")
    if keep:
        console.show_line(f"web UI       http://localhost:{outcome.port}\nto stop it   nnictl stop {outcome.name}")
    else:
        console.show_line(f"web UI       stopped; again with: nnictl view {outcome.name} --port {outcome.port}")
    if outcome.broken_off:
        console.show_error(
            f"{outcome.broken_off}. What was finished stays; once its machines are up go on with: "
            f'NODE_OPTIONS="$(emodarts node-options)" nnictl resume {outcome.name}'
        )
    for trial in outcome.repeated:
        console.show_note(f"trial {trial.parameters} was lost, and run again: its logs are in {trial.place}")
    for trial in outcome.failed:
        reason = _REASONS.get(trial.status, "failed")
        where = trial.folder if outcome.remote is None else trial.place
        console.show_error(f"trial {trial.parameters} {reason}: see trial.stderr and trial.log in {where}")
    if outcome.whole:
        return
    lacking = ", ".join(f"fold {fold} of seed {seed}" for fold, seed in outcome.absent[:_SHOWN])
    more = f" and {len(outcome.absent) - _SHOWN} more" if len(outcome.absent) > _SHOWN else ""
    console.show_error(
        f"NOT COMPLETE: {len(outcome.folders)} of {count_text(outcome.expected, 'trial')} succeeded"
        + (f"; {lacking}{more} is not in the figures" if lacking else "")
    )
