"""The errors that a person can cause and mend.

Every one of them carries a message that names the value, the bound and the remedy. The command line prints the message
and leaves with exit code 2, as it does where the machine is at its limits (`machine_fault`); anything else that is
raised is a defect of the program.
"""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path


class EmodartsError(Exception):
    """Base of every error that a person can mend."""


class ConfigError(EmodartsError):
    """A configuration, preset, option or strategy that does not exist or is out of bounds."""


class ManifestError(EmodartsError):
    """A manifest that is missing, unreadable or incomplete."""


class AudioError(EmodartsError):
    """Recordings that cannot be used."""


class BadRecordings(AudioError):  # noqa: N818 - what it is about
    """Recordings of a manifest that cannot be used, all together.

    Attributes:
        reasons: why, by row of the manifest; each reason begins with the file's name.
    """

    SHOWN = 20
    """Reasons that the message lists before it only counts."""

    def __init__(self, reasons: Mapping[int, str], total: int, remedy: str = "") -> None:
        super().__init__(reasons, total, remedy)
        self.reasons = dict(sorted(reasons.items()))

    def __str__(self) -> str:
        _, total, remedy = self.args
        unique = list(dict.fromkeys(self.reasons.values()))  # many rows may name one bad file
        head = f"{len(self.reasons)} of {total} recordings cannot be used{'; ' if remedy else ''}{remedy}:"
        more = [f"  and {len(unique) - self.SHOWN} more"] if len(unique) > self.SHOWN else []
        return "\n".join([head, *(f"  {reason}" for reason in unique[: self.SHOWN]), *more])


class UnfitSpeakers(EmodartsError):  # noqa: N818 - what it is about
    """Training speakers whom speaker normalisation would rob of their emotion, all together.

    Attributes:
        rows: speaker, number of recordings and reason of each.
    """

    SHOWN = 20
    """Speakers that the message lists before it only counts."""

    def __init__(self, rows: Sequence[tuple[str, str, str]], number: int, count: int, bound: float) -> None:
        super().__init__(rows, number, count, bound)
        self.rows = tuple(rows)

    def __str__(self) -> str:
        _, number, count, bound = self.args
        head = (
            f"features.normalization: speaker is refused, since {number} of {count} training speakers show one emotion "
            f"or have too few recordings, more than {bound:.0%}: their own mean would take away what is to be "
            f"recognised; set it to corpus, or insist by --allow-unfit-speakers:"
        )
        table = [("speaker", "recordings", "why"), *self.rows[: self.SHOWN]]
        widths = [max(len(row[column]) for row in table) for column in range(2)]
        lines = [f"  {speaker:{widths[0]}}  {held:>{widths[1]}}  {why}" for speaker, held, why in table]
        more = [f"  and {len(self.rows) - self.SHOWN} more"] if len(self.rows) > self.SHOWN else []
        return "\n".join([head, *lines, *more])


class FrontEndError(EmodartsError):
    """A pretrained encoder that cannot be had, read or heard with."""


class ProtocolError(EmodartsError):
    """A protocol or fold that the manifest cannot give."""


class ArchitectureError(EmodartsError):
    """An architecture that is malformed or belongs to another space."""


class RunFolderError(EmodartsError):
    """An output folder that is taken, or a run folder that is incomplete."""


class DivergenceError(EmodartsError):
    """Training whose loss is no number any more."""


class LostProcessError(EmodartsError):
    """A process that was killed while others waited for it."""


class CellError(EmodartsError):
    """Cells of a benchmark that failed, while the others were computed."""


class LaunchError(EmodartsError):
    """Jobs that cannot be started, or that ended before their work was done."""


class OverlapError(EmodartsError):
    """A network would be scored on speakers that chose its architecture."""


class ExperimentError(EmodartsError):
    """An NNI experiment that cannot be started or did not finish."""


_SPACE = "free some space there"
_NAME_ANOTHER = "change its permissions, or name another"
_REMEDIES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EIO: "look after the disk, or name a folder on another",
    errno.ESTALE: "mount its disk again",
    errno.EROFS: "name a folder that can be written to",
    errno.EACCES: _NAME_ANOTHER,
    errno.EPERM: _NAME_ANOTHER,
    errno.EEXIST: "name another",
    errno.ENOTDIR: "name another",
    errno.EISDIR: "name another",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EAGAIN: "raise the limit of processes (ulimit -u)",
}
_SMALLER = "set a smaller search.batch_size or retrain.batch_size"
_NO_MEMORY = f"memory is used up; {_SMALLER}"


def message_for_person(error: Exception) -> str | None:
    """What to tell a person who can mend an error; None where it is a defect of the program."""
    return str(error) if isinstance(error, EmodartsError) else machine_fault(error)


def machine_fault(error: Exception) -> str | None:
    """The message for a person where the machine is at its limits; None where the error is a defect of the program.

    Args:
        error: of a full or protected disk, of a folder that was deleted meanwhile, or of memory, the accelerator's too.
    """
    if isinstance(error, MemoryError):
        return _NO_MEMORY
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for its name
        return f"the accelerator's memory is used up; {_SMALLER}, or device=cpu"
    if isinstance(error, RuntimeError):
        return _NO_MEMORY if "can't allocate memory" in str(error) else None
    return _disk_fault(error) if isinstance(error, OSError) else None


def _disk_fault(error: OSError) -> str | None:
    again = "run the command again, with --resume where it has that"
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOMEM:
        return _NO_MEMORY
    if error.errno in _REMEDIES:
        return f"{where}{error.strerror}; {_REMEDIES[error.errno]}, and {again}"
    gone = _deleted_folder(error)
    return None if gone is None else f"{gone} was deleted meanwhile; {again}"


def _deleted_folder(error: OSError) -> str | None:
    """The folder whose loss made a file absent; a file that is absent in a folder that is there is a defect."""
    if error.errno != errno.ENOENT:
        return None
    try:
        folder = Path(error.filename).absolute().parent if error.filename else Path.cwd()
    except OSError:
        return "the current folder"
    return None if folder.is_dir() else str(folder)
