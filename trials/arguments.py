"""What the trial scripts have in common: arguments, threads, and what NNI says of fold, seed and choices.

Nothing heavy is imported before the number of threads is set: OpenMP reads it once.
"""

import argparse
import math
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

from nni_emodarts.config import ExperimentConfig, front_end_streams, load_config
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.errors import ConfigError, message_for_person
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.processes import end_by_signal, ended_in_order, exit_status
from nni_emodarts.runtime.run_folder import RunFolder, architecture_file, config_beside
from nni_emodarts.runtime.seeds import LARGEST_SEED

_BUDGET = "TRIAL_BUDGET"  # the name that NNI's Hyperband and BOHB give the epochs of a trial
_OWN = ("fold", "seed", _BUDGET)


@dataclass(frozen=True)
class TrialTask:
    """What a trial is to do: a fold and a seed.

    Attributes:
        config: the whole configuration; with a tuner's budget of epochs, where it gives one.
        fold: number of the fold.
        seed: seed of everything random.
        choices: the architecture, where a tuner chose it; else empty.
        folder: where the run's files go.
        arguments: all arguments of the script.
    """

    config: ExperimentConfig
    fold: int
    seed: int
    choices: JsonObject
    folder: RunFolder
    arguments: argparse.Namespace


def run(description: str, work: Callable[[TrialTask], None], arguments: list[str] | None = None) -> None:
    """Parse, call, and turn an error that the user can mend into one message and exit code 2.

    A trial that a signal ends is no success for NNI: it ends with 128 + the signal's number. Where NNI itself cancels
    it (SIGINT), it ends by the signal, by which NNI tells what was cancelled from what failed.
    """
    parsed = _parser(description).parse_args(arguments)
    if parsed.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(parsed.threads)
    try:
        with ended_in_order():
            trial = _assemble(parsed)
            with trial.folder.held():
                work(trial)
    except KeyboardInterrupt:
        end_by_signal(signal.SIGINT)
    except SystemExit as left:
        status = exit_status(left)
        if status == 128 + signal.SIGINT:
            end_by_signal(signal.SIGINT)
        sys.exit(status)
    except Exception as error:
        message = message_for_person(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)  # noqa: T201 - NNI keeps a trial's stderr
        sys.exit(2)


def show_progress(what: str, done: int, total: int, **figures: float) -> None:
    """A line a step, for the trial's log."""
    shown = "".join(f"  {name} {value:.3f}" for name, value in figures.items())
    print(f"{what}: {done}/{total}{shown}", flush=True)  # noqa: T201 - NNI keeps a trial's stdout


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--manifest", help="the manifest, or synthetic for the embedded corpus")
    parser.add_argument("--preset", help="paper, compact, tiny or pretrained")
    parser.add_argument("--config", help="a YAML file laid over the preset")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="one setting laid over both")
    parser.add_argument("--protocol", help="loso, session, kfold:K, official or file:FOLDS.csv")
    parser.add_argument("--strategy", help=f"how to search: {', '.join(STRATEGIES)}")
    parser.add_argument("--bad-audio", help="refuse or skip recordings that cannot be used")
    parser.add_argument("--front-end", metavar="MODEL", help="hear with a pretrained encoder")
    parser.add_argument(
        "--architecture", type=architecture_file, help="architecture.json to retrain, or the folder of its search"
    )
    parser.add_argument("--allow-overlap", action="store_true", help="score on speakers that the search saw")
    parser.add_argument("--candidates", help="folder of the candidates of a search by trials")
    parser.add_argument("--fold", type=int, help="fold, where no tuner gives one")
    parser.add_argument("--seed", type=int, help="seed, where no tuner gives one")
    parser.add_argument("--threads", type=int, help="processor threads of this trial")
    parser.add_argument("--out", help="output folder; the trial's own where absent")
    return parser


def _assemble(arguments: argparse.Namespace) -> TrialTask:
    options = {
        "data.manifest": arguments.manifest,
        "data.protocol": arguments.protocol,
        "search.strategy": arguments.strategy,
        "data.bad_audio": arguments.bad_audio,
        "features.streams": None if arguments.front_end is None else front_end_streams(arguments.front_end),
    }
    file = arguments.config
    if file is None and arguments.preset is None and arguments.architecture is not None:
        file = config_beside(arguments.architecture)
    config = pinned(load_config(arguments.preset, file, arguments.set, options))
    parameters = nni_trial.parameters()
    nni_trial.offer_visualization()
    return TrialTask(
        _budgeted(config, parameters),
        _number("fold", parameters, arguments.fold, 0),
        _number("seed", parameters, arguments.seed, 1, most=LARGEST_SEED),
        {label: choice for label, choice in parameters.items() if label not in _OWN},
        _folder(arguments.out),
        arguments,
    )


def _budgeted(config: ExperimentConfig, parameters: JsonObject) -> ExperimentConfig:
    """The configuration with the epochs that a tuner such as Hyperband gives this trial."""
    if _BUDGET not in parameters:
        return config
    epochs = max(1, _number(_BUDGET, parameters, None, 1))
    return config.model_copy(update={"retrain": config.retrain.model_copy(update={"epochs": epochs})})


def _number(name: str, parameters: JsonObject, argument: int | None, default: int, most: float = math.inf) -> int:
    value = parameters.get(name, default if argument is None else argument)
    if not isinstance(value, int | float) or not float(value).is_integer() or not 0 <= value <= most:
        bounds = "from 0" if math.isinf(most) else f"from 0 to {most:.0f}"
        raise ConfigError(f"{name}: {value!r} must be a whole number {bounds}")
    return int(value)


def _folder(out: str | None) -> RunFolder:
    if out is not None:
        return RunFolder.claim(out)
    if not nni_trial.in_trial():
        raise ConfigError("--out is missing; outside an NNI trial the output folder must be named")
    # NNI runs an interrupted trial again in its old folder, which also holds files of NNI's own.
    return RunFolder(nni_trial.output_folder())
