"""What a run keeps of its corpus, so that its networks can be described where the recordings are not."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from nni_emodarts.data.manifest import Manifest
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject

_LICENCE_FILES = ("source", "licence", "license", "copying")
_LICENCE_LINES = 12
_LICENCE_BYTES = 16_384
"""Read of a file: a licence's first lines lie in them, and a file without end costs nothing."""
_LICENCE_WIDTH = 240
"""Characters kept of a line."""


@dataclass(frozen=True)
class Licence:
    """Where recordings come from, and under what terms.

    Attributes:
        file: name of the file that says so.
        lines: its first ones.
    """

    file: str
    lines: Sequence[str]


@dataclass(frozen=True)
class CorpusFacts:
    """Facts that a model card tells.

    Attributes:
        utterances: number of each class.
        genders: of each speaker of whom the manifest says one only.
        licence: as it is stated beside the recordings; None where it is not.
    """

    utterances: Mapping[str, int]
    genders: Mapping[str, str]
    licence: Licence | None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The facts of a manifest and of the folders of its recordings."""
        counts = manifest.table["emotion"].value_counts()
        utterances = {label: int(counts.get(label, 0)) for label in manifest.classes}
        return cls(utterances, _genders(manifest.table), _read_licence(manifest))

    @classmethod
    def from_dict(cls, data: JsonMapping) -> Self | None:
        """What `to_dict` wrote; None of a run of an earlier version, which kept nothing."""
        try:
            licence = data["licence"]
            return cls(data["utterances"], data["genders"], None if licence is None else Licence(**licence))
        except (KeyError, TypeError):
            return None

    def to_dict(self) -> JsonObject:
        """The facts as plain data."""
        return asdict(self)


def find_licence(manifest: Manifest) -> Path | None:
    """The file that says where recordings come from and under what terms, beside their manifest or beside them."""
    folders = dict.fromkeys([manifest.folder, *(Path(file).parent for file in manifest.table["file"].unique()[:100])])
    found = [
        path
        for folder in folders
        if Path(folder).is_dir()
        for path in sorted(Path(folder).iterdir())
        if path.stem.lower() in _LICENCE_FILES and path.suffix.lower() in ("", ".txt", ".md") and _is_own_file(path)
    ]
    return found[0] if found else None


def _read_licence(manifest: Manifest) -> Licence | None:
    with suppress(OSError):  # a folder or a file that may not be read: no run ends for that
        file = find_licence(manifest)
        if file is not None:
            with file.open("rb") as opened:
                lines = opened.read(_LICENCE_BYTES).decode("utf-8", errors="replace").strip().splitlines()
            return Licence(file.name, [line.strip()[:_LICENCE_WIDTH] for line in lines[:_LICENCE_LINES]])
    return None


def _is_own_file(path: Path) -> bool:
    """A plain file of the folder; a link may lead to anything of this machine, which a card would then publish."""
    return path.is_file() and not path.is_symlink()


def _genders(table: pd.DataFrame) -> dict[str, str]:
    by_speaker = table.groupby("speaker")["gender"].unique()
    return {str(speaker): found[0] for speaker, found in by_speaker.items() if len(found) == 1 and found[0]}
