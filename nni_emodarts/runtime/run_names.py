"""Names of what a run leaves: its files, and the folders of runs inside it."""

import re
from pathlib import PurePosixPath

CONFIG = "config.yml"
ARCHITECTURE = "architecture.json"
ALPHAS = "alphas.csv"
HISTORY = "history.csv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
UNDECIDED = "undecided.csv"
"""Answers to test utterances on which annotators did not agree, where their votes are the targets."""
ENVIRONMENT = "environment.json"
NORMALIZATION = "normalization.json"
WEIGHTS = "weights.safetensors"
GRAPH = "model.onnx"
SKIPPED = "skipped.csv"
CORPUS = "corpus.json"
"""Digests of the manifest and the recordings that a run is computed from, and the protocol that divides them."""
CHECKPOINT = "checkpoint.ckpt"
BEGUN = "search.json"
"""What a search is to do, and what it has cost so far."""
CANDIDATES = "candidates.csv"
REPLICATES = "replicates.json"
"""The trainings behind the figure of a candidate that has several, with their validation answers."""
FAILURE = "failure.json"
"""What the training of a candidate cost that failed."""
ERROR = "error.txt"
"""Why it failed."""
ENSEMBLE = "ensemble.json"
"""Members of an ensemble, whose networks lie in `members`, and the share of each."""
STUDY = "study.json"
NETWORKS = "networks.csv"
OTHER_CORPORA = "other_corpora.csv"
"""Answers to the corpora that a network is scored on besides its own."""
MODEL_CARD = "model_card.md"
DRAWING = "architecture.svg"

FILES = (
    CONFIG, ARCHITECTURE, ALPHAS, HISTORY, METRICS, PREDICTIONS, UNDECIDED, ENVIRONMENT, NORMALIZATION, WEIGHTS, GRAPH,
    CORPUS, SKIPPED, CHECKPOINT, BEGUN, CANDIDATES, REPLICATES, FAILURE, ERROR, ENSEMBLE,
    STUDY, NETWORKS, OTHER_CORPORA, MODEL_CARD, DRAWING,
)  # fmt: skip
WRITTEN = "files.txt"
"""The list of what a run wrote; see `run_contents`."""

FINAL = "final"
CANDIDATE_FOLDERS = "candidates"
"""Folder of a search that holds a run of each candidate."""
SEARCH = "search"
"""Folder of a run that holds the search of its architecture."""
RESTART = "restart_{number}"
"""Folder of a search that holds one of several searches from seeds of their own, from 0."""
MEMBERS = "members"
"""Folder of an ensemble that holds a run of each member."""
DISTILLED = "distilled"
"""Folder of a run of ensembles that holds the networks that learnt from them, by fold and seed."""
SEARCHED = "searched"
"""Folder of a study that holds the network of the searched architecture; those of random ones lie beside it."""

CELLS = "fold_*/seed_*"
"""Pattern of the folders of a run's networks, a fold and seed each; `read_cell_name` says which of them are."""
SEARCH_RUN, RETRAINING, STUDY_RUN, ENSEMBLE_RUN = "search", "retraining", "study", "ensemble"
KINDS = {
    SEARCH_RUN: (BEGUN, ALPHAS, CANDIDATES, CANDIDATE_FOLDERS),
    RETRAINING: (PREDICTIONS, WEIGHTS),
    STUDY_RUN: (STUDY, NETWORKS, SEARCHED),
    ENSEMBLE_RUN: (ENSEMBLE,),
}
"""Kinds of runs, and what only a run of a kind leaves at the top of its folder; a retraining its cells besides."""

_CELL = re.compile(r"fold_(\d\d+)/seed_(\d+)")
_CANDIDATE = re.compile(r"[0-9a-f]+")
_SAMPLE = re.compile(r"sample_\d{3,}")
_RESTART = re.compile(r"restart_\d{1,2}")
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8,}")


def cell_name(fold: int, seed: int) -> str:
    """Where the run of one fold and seed lies in its run: `fold_00/seed_1`."""
    return f"fold_{fold:02d}/seed_{seed}"


def read_cell_name(name: str) -> tuple[int, int] | None:
    """Fold and seed of a folder of `cell_name`; None of any other, such as `fold_00_2/seed_1`."""
    found = _CELL.fullmatch(name)
    if found is None:
        return None
    fold, seed = map(int, found.groups())
    return (fold, seed) if cell_name(fold, seed) == name else None


def names_run(within: str, name: str) -> bool:
    """Whether a path inside a run's folder is that of a run inside.

    Args:
        within: name of the run's own folder.
        name: the path, such as `fold_00/seed_1` or `candidates/0123456789ab`.
    """
    if (
        name in (FINAL, SEARCH, SEARCHED, CANDIDATE_FOLDERS, MEMBERS, DISTILLED)
        or _SAMPLE.fullmatch(name)
        or _RESTART.fullmatch(name)
        or read_cell_name(name)
    ):
        return True
    *above, last = PurePosixPath(name).parts
    return (above or [within]) in ([CANDIDATE_FOLDERS], [MEMBERS]) and _CANDIDATE.fullmatch(last) is not None


def leads_to_run(within: str, name: str) -> bool:
    """Whether a folder right inside a run's folder is that of a run inside, or holds such folders."""
    return names_run(within, name) or read_cell_name(f"{name}/seed_0") is not None


def leftover_of(name: str) -> str | None:
    """The file of a run that was half written under a temporary name when its writer was killed; None of others."""
    found = _LEFTOVER.fullmatch(name)
    return found["name"] if found is not None and found["name"] in FILES else None
