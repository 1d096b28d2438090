"""Features of a corpus, extracted by jobs: a shard of its recordings each, into one store."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.data.corpus import Corpus, cache_root, extractors_of, load_corpus, load_manifest
from nni_emodarts.data.features import Functionals, fill_store
from nni_emodarts.data.features.building import missing_rows
from nni_emodarts.data.features.extractor import Extractor
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.data.manifest import TIMES, Manifest
from nni_emodarts.launching import LAUNCHED, Launch, Launcher
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.yaml_reading import parse_yaml

MOST_IN_A_PIECE = 512
"""Recordings that a job hashes and extracts at a time."""

Note = Callable[[str], None]


@dataclass(frozen=True)
class _Piece:
    """Recordings that a job extracts.

    Attributes:
        config: the whole configuration, as text.
        stretches: file, and start and end in seconds, where it has any, of each recording.
        heard: names of the streams that are wanted; all where there are none.
        functionals: names of sets of functionals beside them.
        workers: processes that extract.
    """

    config: str
    stretches: tuple[tuple[str, float, float], ...]
    heard: tuple[str, ...]
    functionals: tuple[str, ...]
    workers: int


def run_features(
    config: ExperimentConfig,
    launch: Launch | None = None,
    progress: Progress = silent,
    note: Note = lambda text: None,
) -> Corpus:
    """Extract the features of the corpus that a configuration names, which every other command would do first.

    Args:
        config: the whole configuration.
        launch: the jobs that share the recordings; this process and its workers where absent.
        progress: called after each step.
        note: called with what a person should know.

    Raises:
        EmodartsError: as for `load_manifest`, `load_corpus` and `Launcher`.
    """
    config = heard_in_jobs(pinned(config), launch)
    manifest = load_manifest(config)
    for each in manifest.notes:
        note(each)
    extract_in_jobs(config, manifest, launch, progress, note)
    return load_corpus(config, manifest, progress)


def heard_in_jobs(config: ExperimentConfig, launch: Launch | None) -> ExperimentConfig:
    """A configuration whose features are those that jobs extract.

    The machine that submits jobs need not have their device, since it computes no features.
    """
    return heard_on(config, "" if launch is None else launch.device)


def heard_on(config: ExperimentConfig, device: str) -> ExperimentConfig:
    """A configuration whose features are those of a device: numbers of a GPU and of a processor are two stores.

    Args:
        config: the whole configuration; a device that it names stays.
        device: `gpu` or `cpu`; empty for that of the configuration.
    """
    return config.model_copy(update={"device": device}) if device and config.device == "auto" else config


def extract_in_jobs(
    config: ExperimentConfig,
    manifest: Manifest,
    launch: Launch | None,
    progress: Progress = silent,
    note: Note = lambda text: None,
    *,
    heard: Collection[str] = (),
    functionals: Collection[str] = (),
) -> None:
    """Let jobs extract what the store lacks; nothing is done where there is no launch.

    Args:
        config: the whole configuration.
        manifest: the utterances.
        launch: the jobs.
        progress: called as recordings are hashed and shards end.
        note: called with what a person should know.
        heard: names of the streams that are wanted; all where there are none.
        functionals: names of sets of functionals beside them.

    Raises:
        ConfigError: as for `Launcher.run`.
        LaunchError: jobs did not do all of their share. Recordings that cannot be used are no such reason.
    """
    if launch is None:
        return
    config = heard_in_jobs(config, launch)
    launcher = Launcher(launch, cache_root(config.data) / f"{LAUNCHED}-{manifest.digest[:12]}", note)
    launcher.settle()
    extractors = _extractors(config, heard, functionals)
    lacking = [missing_rows(manifest, each, cache_root(config.data), progress) for each in extractors]
    stretches = list(manifest.table[["file", *TIMES]].iloc[np.unique(np.concatenate(lacking))].itertuples(index=False))
    size = min(MOST_IN_A_PIECE, -(-len(stretches) // launch.jobs)) or 1
    same = config.to_yaml(), tuple(heard), tuple(functionals), config.data.workers or launch.cpus
    pieces = [
        _Piece(same[0], tuple(map(tuple, stretches[n : n + size])), *same[1:]) for n in range(0, len(stretches), size)
    ]
    for seen in launcher.run(_extract, pieces):
        progress("shards of features", seen.done, seen.shares)


def _extract(pieces: Sequence[_Piece]) -> Iterator[str]:
    """Extract pieces. Recordings that cannot be used are left out: whoever loads the corpus names them together."""
    config = validate(parse_yaml(pieces[0].config))
    extractors = _extractors(config, pieces[0].heard, pieces[0].functionals)
    for piece in pieces:
        manifest = Manifest(pd.DataFrame(piece.stretches, columns=["file", *TIMES]), (), "")
        for extractor in extractors:
            fill_store(manifest, extractor, cache_root(config.data), piece.workers)
        yield ""


def _extractors(config: ExperimentConfig, heard: Collection[str], functionals: Collection[str]) -> list[Extractor]:
    return [*extractors_of(config, heard), *map(Functionals, functionals)]
