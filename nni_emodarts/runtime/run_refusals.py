"""Which output folders a run may not take."""

from pathlib import Path

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.run_contents import RunContents
from nni_emodarts.runtime.run_names import (
    ALPHAS,
    ARCHITECTURE,
    BEGUN,
    CANDIDATES,
    CHECKPOINT,
    CONFIG,
    CORPUS,
    ENVIRONMENT,
    HISTORY,
    METRICS,
    NETWORKS,
    PREDICTIONS,
    SKIPPED,
    STUDY,
)

_REPLACED = (
    CONFIG,
    ARCHITECTURE,
    METRICS,
    PREDICTIONS,
    CORPUS,
    SKIPPED,
    HISTORY,
    ALPHAS,
    BEGUN,
    CANDIDATES,
    ENVIRONMENT,
    CHECKPOINT,
    STUDY,
    NETWORKS,
)
"""Files that a run may write at the top of its folder. A graph or a card of one's own there stays."""


def refuse_file(path: Path) -> None:
    """Refuse an output folder that is none.

    Raises:
        RunFolderError: there is a file.
    """
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"output {path} is a file; name a folder")


def refuse_taken(path: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a folder where something would be lost, or mixed with something else.

    Args:
        path: the output folder.
        resume: a run in it is to go on.
        overwrite: a run in it is to give way.

    Raises:
        RunFolderError: as for `RunFolder.claim`.
    """
    contents = RunContents(path)
    _refuse_to_replace(path, contents)
    if overwrite or not path.exists() or not any(path.iterdir()):
        return
    if not resume:
        raise RunFolderError(f"output folder {path} is not empty; name another{_other_ways(contents)}")
    if not contents.begun:
        raise RunFolderError(
            f"output folder {path} holds no run to go on with; name the folder of one, or another without --resume"
        )


def _refuse_to_replace(path: Path, contents: RunContents) -> None:
    """Refuse a folder with files of other programs that a run would write over."""
    own = contents.files
    others = [name for name in _REPLACED if (path / name).exists() and name not in own]
    if not others:
        return
    holds = f"no run, but a file {others[0]}, which a run would replace"
    if own:
        holds = f"a file {others[0]} that its run did not write, and that another would replace"
    raise RunFolderError(f"output folder {path} holds {holds}; name another folder, or move that file")


def _other_ways(contents: RunContents) -> str:
    """What may be done besides where a folder is taken; no advice to destroy what is finished."""
    if not contents.begun:
        return ", or add --overwrite to write beside what is in it, of which nothing is replaced"
    more = " (--overwrite deletes it)" if contents.finished else ", or --overwrite to replace that run"
    return f", or add --resume to go on with the run in it{more}"
