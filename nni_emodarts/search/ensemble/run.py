"""An ensemble for each fold that was searched, and the test predictions of all of them pooled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nni_emodarts.config import ExperimentConfig, load_config, refuse_other_settings
from nni_emodarts.data.corpus import Corpus, load_corpus, load_manifest
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.pinning import heard_elsewhere
from nni_emodarts.data.unfit import checked_folds
from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import (
    CONFIG,
    CORPUS,
    DISTILLED,
    ENSEMBLE,
    ENSEMBLE_RUN,
    METRICS,
    RunFolder,
    refuse_other,
)
from nni_emodarts.search.ensemble.candidates import Pool, read_pools
from nni_emodarts.search.ensemble.fold import distil_fold, ensemble_fold
from nni_emodarts.training.retrain.run import pool as pool_cells
from nni_emodarts.training.trainer import pick_device


@dataclass(frozen=True)
class Ensembled:
    """What ensembles left.

    Attributes:
        pooled: figures of the ensembles' test predictions, pooled over the folds, as in the folder's metrics.json.
        distilled: the same of the networks that learnt from them; None where none was asked for.
    """

    pooled: JsonObject
    distilled: JsonObject | None


def run_ensemble(
    searches: Sequence[str | Path],
    out: str | Path,
    *,
    manifest: str | None = None,
    settings: Sequence[str] = (),
    front_end: str | None = None,
    seed: int = 1,
    distil: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Ensembled:
    """Let candidates of searches answer together, in each fold that was searched (neural ensemble search).

    Members are picked by what candidates said of training speakers that they had not heard, which the searches have
    kept: no test speaker has a say. They are then trained by the recipe on all of the fold's training speakers.

    Args:
        searches: folders of finished searches by trials with `search.estimate`; several of one fold are one pool.
        out: the output folder; empty or absent, unless the run in it goes on or is replaced.
        manifest: the manifest, where it is another file by now.
        settings: `section.key=value` texts, laid over the configuration of the first search.
        front_end: where the weights of the searches' pretrained encoder are, where not where they had them.
        seed: of the members' trainings.
        distil: also train one network of each fold on what its ensemble says.
        resume: go on with the run in the folder.
        overwrite: replace the run in the folder.
        progress: called after each step of a long job.

    Raises:
        EmodartsError: as for `read_pools`, `load_corpus` and `retrain_fold`; or the folder is taken.
    """
    pools = read_pools([RunFolder(path) for path in searches])
    config = load_config(None, pools[0].searches[0].path / CONFIG, settings, {"data.manifest": manifest})
    config = heard_elsewhere(config, front_end, f"the search in {pools[0].searches[0].path}")
    table = load_manifest(config)
    checked_folds(config, table, [pool.fold for pool in pools])
    RunFolder.check(out, resume, overwrite)
    corpus = load_corpus(config, table, progress)
    for pool in pools:
        _refuse_other_recordings(pool, corpus)
    pick_device(config.device)
    folder = RunFolder.claim(out, resume, overwrite)
    with folder.held():
        folder.begin(ENSEMBLE_RUN)
        return _ensemble(_Run(config, corpus, folder, seed, progress), pools, distil)


@dataclass(frozen=True)
class _Run:
    """What is the same for all folds of a run."""

    config: ExperimentConfig
    corpus: Corpus
    folder: RunFolder
    seed: int
    progress: Progress

    def task(self, pool: Pool) -> FoldTask:
        return FoldTask.of(self.config, self.corpus, pool.fold, self.seed)


def _ensemble(run: _Run, pools: Sequence[Pool], distil: bool) -> Ensembled:
    folder = run.folder
    run.task(pools[0]).note_corpus(folder)
    if folder.has(CONFIG):
        refuse_other_settings(folder, run.config)
    asked = {"searches": {str(pool.fold): sorted(_names(pool)) for pool in pools}, "seed": run.seed}
    if folder.has(ENSEMBLE):
        refuse_other("ensemble", folder, folder.read_json(ENSEMBLE), asked)
    folder.write_json(ENSEMBLE, asked)
    folder.write_text(CONFIG, run.config.to_yaml())
    cells = [folder.cell(pool.fold, run.seed) for pool in pools]
    for done, (pool, cell) in enumerate(zip(pools, cells, strict=True)):
        run.progress("ensembles", done, len(pools))
        if not cell.has(METRICS):
            ensemble_fold(run.task(pool), pool, cell, run.progress)
    run.progress("ensembles", len(pools), len(pools))
    pooled = pool_cells(folder, cells)
    return Ensembled(pooled, _distil(run, pools) if distil else None)


def _names(pool: Pool) -> list[str]:
    """Ids of the candidates that a pool's searches measured: what the searches are known by, wherever they lie."""
    return [candidate.architecture.id for candidate in pool.candidates]


def _distil(run: _Run, pools: Sequence[Pool]) -> JsonObject:
    """One network of each fold that learns from the fold's ensemble, pooled in a folder of its own."""
    folder = run.folder.child(DISTILLED)
    with folder.held():
        run.task(pools[0]).note_corpus(folder)
        folder.write_text(CONFIG, run.config.to_yaml())
        cells = [folder.cell(pool.fold, run.seed) for pool in pools]
        for pool, cell in zip(pools, cells, strict=True):
            distil_fold(run.task(pool), pool, cell, run.progress)
        return pool_cells(folder, cells)


def _refuse_other_recordings(pool: Pool, corpus: Corpus) -> None:
    """The rows of a pool are rows of the manifest that its searches read.

    Raises:
        RunFolderError: the manifest is another by now.
    """
    for search in pool.searches:
        held = search.read_json(CORPUS).get("manifest") if search.has(CORPUS) else None
        if held not in (None, corpus.manifest.digest):
            raise RunFolderError(
                f"search {search.path} was made on another manifest (its digest is {str(held)[:12]}, not "
                f"{corpus.manifest.digest[:12]}); name that one by --manifest"
            )
