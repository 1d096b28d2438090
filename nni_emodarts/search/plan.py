"""An NNI experiment that searches and retrains every fold, a trial each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from nni_emodarts.config import SYNTHETIC, ExperimentConfig, as_setting, refuse_several_machines
from nni_emodarts.data.ccc_utterances import few_utterances
from nni_emodarts.data.corpus import load_corpus, load_manifest
from nni_emodarts.data.fold_choice import FoldChoice
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.nni_bridge.experiment_file import Plan, experiment_yaml
from nni_emodarts.nni_bridge.remote.checks import check_machines
from nni_emodarts.nni_bridge.remote.machines import Remote
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.writing import check_output, write_output


def write_experiment(
    out: Path,
    config: ExperimentConfig,
    arguments: Sequence[str],
    *,
    folds: FoldChoice | None = None,
    seeds: Sequence[int] = (1,),
    concurrency: int = 1,
    remote: Remote | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Write the YAML file of an experiment.

    Args:
        out: the file.
        config: the whole configuration.
        arguments: what makes a trial's configuration the same, besides manifest, protocol and cache.
        folds: folds of the protocol; all of them where absent.
        seeds: seeds of each fold.
        concurrency: trials at once.
        remote: where they run, if not here.
        overwrite: replace the file.
        progress: called after each block of recordings, where some may be skipped.
        note: called with what looks odd in the manifest.

    Raises:
        ConfigError: no manifest is named.
        ManifestError: it cannot be used.
        ProtocolError: it cannot give one of the folds.
        ExperimentError: trials cannot run on one of the machines.
        RunFolderError: the file is there, or cannot be written.
    """
    refuse_several_machines(config)
    check_output(out, overwrite, "experiment.yml")
    data = config.data
    manifest, skipped = load_manifest(config), 0
    for each in manifest.notes:
        note(each)
    wanted = checked_folds(config, manifest, folds)
    for each in few_utterances(config, manifest, wanted):
        note(each)
    if remote is not None:
        remote = replace(remote, cores=check_machines(remote, _files(config, arguments)))
    if data.bad_audio == "skip":  # folds are made of what can be used; trials find its features in the store
        corpus = load_corpus(config, manifest, progress)
        wanted, skipped = make_folds(corpus.manifest, data.protocol, folds), len(corpus.skipped)
    where = str(data.manifest)  # absolute, since a trial starts in a folder of NNI's
    words = ["--manifest", where, "--protocol", data.protocol, *arguments]
    words += ["--set", as_setting("data.cache", data.cache)] if data.cache else []
    corpora = ("the embedded corpus" if each == SYNTHETIC else Path(each).parent.name for each in data.manifests)
    name = f"emoDARTS on {' and '.join(corpora)}"
    text = experiment_yaml(name, words, [fold.index for fold in wanted], seeds, concurrency, remote=remote)
    write_output(out, text.encode())
    return Plan(len(wanted), len(seeds), skipped)


def _files(config: ExperimentConfig, arguments: Sequence[str]) -> list[Path]:
    """Files that every machine must have: the manifests, and the one that the configuration is read from."""
    named = [word for option, word in pairwise(arguments) if option == "--config"]
    return [Path(each) for each in (*config.data.manifests, *named) if each != SYNTHETIC]
