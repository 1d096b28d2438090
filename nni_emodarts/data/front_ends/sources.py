"""Where the weights of a pretrained encoder lie on this machine, and how they come there."""

import os
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from nni_emodarts.config import TORCHAUDIO, PretrainedStream
from nni_emodarts.config.faults import nearest, shorten
from nni_emodarts.data.front_ends.catalogue import FRONT_ENDS, Known
from nni_emodarts.data.front_ends.families import FAMILIES, TORCHAUDIO_FAMILY, Family
from nni_emodarts.errors import FrontEndError
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.reading import MEGABYTE, UnreadableError, read_json

CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"
_SAFE, _SAFE_SHARDS = "model.safetensors", "model-*.safetensors"
_PICKLED, _PICKLED_SHARDS = "pytorch_model.bin", "pytorch_model-*.bin"
_LARGEST_CONFIG = 4 * MEGABYTE
_READ_AT_ONCE = 2**22
MOST_LAYERS, MOST_FEATURES = 200, 16_384
"""Bounds of a config.json that is believed: a file may state any size."""


@dataclass(frozen=True)
class Source:
    """A pretrained encoder on this machine.

    Attributes:
        model: what a stream calls it.
        family: its kind.
        files: its weights.
        config: what its config.json holds; empty of torchaudio's.
        preprocessor: what its preprocessor_config.json holds, likewise.
        revision: the commit at Hugging Face, where it is from there.
    """

    model: str
    family: Family
    files: tuple[Path, ...]
    config: JsonObject
    preprocessor: JsonObject
    revision: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the weights: of their one file, or of all files in the order of their names."""
        states = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in self.files)
        return _digest(states)


def find_source(stream: PretrainedStream) -> Source | None:
    """The weights of a stream on this machine; None where they would have to be fetched.

    Raises:
        FrontEndError: what lies there is no speech encoder, or cannot be read; or a folder that is not there.
    """
    model = stream.model
    if model.startswith(TORCHAUDIO):
        file = bundle_file(known_bundle(model))
        return Source(model, FAMILIES[TORCHAUDIO_FAMILY], (file,), {}, {}) if file.is_file() else None
    if is_folder(model):
        return read_folder(model, Path(model))
    snapshot = _snapshot(model, stream.revision)
    if snapshot is None or not (snapshot / CONFIG_FILE).exists() or not weight_files(snapshot):
        return None
    return read_folder(model, snapshot, snapshot.name)


def is_folder(model: str) -> bool:
    """Whether a stream's model is a folder; a name at Hugging Face is relative and has one slash at most."""
    return Path(model).is_absolute()


def known_bundle(model: str) -> Known:
    """The bundle of torchaudio that a stream names.

    Raises:
        FrontEndError: torchaudio has none of this name.
    """
    bundles = {name.removeprefix(TORCHAUDIO): known for name, known in FRONT_ENDS.items() if known.url}
    name = model.removeprefix(TORCHAUDIO)
    if name not in bundles:
        raise FrontEndError(f"front end {shorten(model)}: torchaudio has no such bundle{nearest(name, bundles)}")
    return bundles[name]


def bundle_file(known: Known) -> Path:
    """Where torch hub keeps the file of a bundle."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or f"{cache}/torch"
    return Path(home).expanduser() / "hub" / "checkpoints" / str(known.url).rsplit("/", 1)[-1]


def hub_folder() -> Path:
    """Where models of Hugging Face are kept, as its own client has it."""
    if own := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(own).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{cache}/huggingface").expanduser() / "hub"


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files of a model's weights: numbers alone (safetensors), or torch's own where there are no others."""
    for one, shards in ((_SAFE, _SAFE_SHARDS), (_PICKLED, _PICKLED_SHARDS)):
        if (folder / one).is_file():
            return (folder / one,)
        if found := tuple(sorted(folder.glob(shards))):
            return found
    return ()


def read_folder(model: str, folder: Path, revision: str | None = None) -> Source:
    """A model in the layout of Hugging Face.

    Raises:
        FrontEndError: it is not there, holds no weights, or is no speech encoder that can be heard with.
    """
    if not folder.is_dir():
        raise FrontEndError(
            f"front end {model}: there is no such folder; name the folder that holds {CONFIG_FILE} and {_SAFE}"
        )
    config = _read(model, folder / CONFIG_FILE)
    family = _family(model, config)
    files = weight_files(folder)
    if not files:
        raise FrontEndError(
            f"front end {model}: {folder} holds no weights ({_SAFE}, or {_PICKLED}); copy them there too"
        )
    has_preprocessor = (folder / PREPROCESSOR_FILE).is_file()
    preprocessor = _read(model, folder / PREPROCESSOR_FILE) if has_preprocessor else {}
    return Source(model, family, files, config, preprocessor, revision)


def sized(source: Source) -> tuple[int, int]:
    """Number of layers, and width D of the frames."""
    if source.family.name == TORCHAUDIO_FAMILY:
        known = known_bundle(source.model)
        return known.depth, known.features
    depth = _count(source, source.family.depth, MOST_LAYERS)
    return depth, _count(source, source.family.width, MOST_FEATURES)


def _count(source: Source, key: str, most: int) -> int:
    value: Any = source.config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise FrontEndError(
            f"front end {source.model}: its {CONFIG_FILE} has {key}: {shorten(value)}, not a number from 1 to {most}; "
            f"fetch the file again"
        )
    return value


def _family(model: str, config: JsonObject) -> Family:
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES or kind == TORCHAUDIO_FAMILY:
        known = ", ".join(name for name in FAMILIES if name != TORCHAUDIO_FAMILY)
        raise FrontEndError(
            f"front end {model} is no speech encoder that can be heard with: its {CONFIG_FILE} has model_type "
            f"{shorten(kind)}; known: {known}"
        )
    return FAMILIES[kind]


def _read(model: str, file: Path) -> JsonObject:
    try:
        data = read_json(file, _LARGEST_CONFIG)
    except FileNotFoundError:
        raise FrontEndError(
            f"front end {model}: {file.parent} holds no {file.name}; copy all files of the model there"
        ) from None
    except (OSError, UnreadableError) as error:
        raise FrontEndError(f"front end {model}: {file} cannot be read ({error}); fetch it again") from None
    if not isinstance(data, dict):
        raise FrontEndError(f"front end {model}: {file} holds no settings; fetch it again")
    return data


def _snapshot(model: str, revision: str | None) -> Path | None:
    """The folder of a name at Hugging Face, as its client keeps it, at a revision; the newest fetched where absent."""
    folder = hub_folder() / f"models--{model.replace('/', '--')}"
    reference = folder / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision
    return folder / "snapshots" / commit if commit and (folder / "snapshots" / commit).is_dir() else None


@lru_cache(maxsize=64)
def _digest(states: tuple[tuple[str, int, int], ...]) -> str:
    hashed = sha256()
    for name, _, _ in states:
        with Path(name).open("rb") as file:
            while block := file.read(_READ_AT_ONCE):
                hashed.update(block)
    return hashed.hexdigest()
