"""Weights that are not on this machine yet: fetched from where they are published; else the message says how."""

import uuid
from importlib.util import find_spec
from pathlib import Path

import requests

from nni_emodarts.config import TORCHAUDIO, PretrainedStream
from nni_emodarts.data.front_ends.families import EXTRA, FAMILIES, TORCHAUDIO_FAMILY
from nni_emodarts.data.front_ends.sources import (
    CONFIG_FILE,
    PREPROCESSOR_FILE,
    Source,
    bundle_file,
    find_source,
    hub_folder,
    known_bundle,
    read_folder,
    weight_files,
)
from nni_emodarts.errors import FrontEndError

_SETTINGS = [CONFIG_FILE, PREPROCESSOR_FILE, "README.md", "LICENSE*"]
_AT_ONCE = 2**20
_PATIENCE = 30.0
"""Seconds without an answer, after which a download is given up."""


def have_source(stream: PretrainedStream) -> Source:
    """The weights of a stream, fetched where they are not on this machine.

    Raises:
        FrontEndError: they cannot be had, or are not those that the stream's digest names.
    """
    source = find_source(stream)
    if source is None:
        source = _bundle(stream.model) if stream.model.startswith(TORCHAUDIO) else _from_hub(stream)
    if stream.digest not in (None, source.digest):
        raise FrontEndError(
            f"front end {stream.model}: its weights ({', '.join(map(str, source.files))}) are others than those that "
            f"were heard with: their SHA-256 is {source.digest}, not {stream.digest}; name a folder that holds those"
        )
    return source


def require_extra(model: str) -> None:
    """Check that what reads models of Hugging Face is installed.

    Raises:
        FrontEndError: it is not.
    """
    if find_spec("transformers") is None:
        raise FrontEndError(
            f"front end {model} is in the layout of Hugging Face and needs transformers: pip install "
            f"'nni_emodarts[{EXTRA}]'; {TORCHAUDIO}WAVLM_BASE_PLUS and its like need nothing more"
        )


def _bundle(model: str) -> Source:
    """A bundle of torchaudio, fetched to where torch hub keeps it."""
    known = known_bundle(model)
    file = bundle_file(known)
    try:
        _download(str(known.url), file)
    except requests.RequestException as error:
        raise FrontEndError(
            f"front end {model}: {known.url} cannot be fetched ({_first_line(error)}); where there is no internet, "
            f"fetch that file elsewhere and put it at {file}"
        ) from None
    return Source(model, FAMILIES[TORCHAUDIO_FAMILY], (file,), {}, {})


def _download(url: str, file: Path) -> None:
    """A file of the internet, which appears under its name only once it is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{uuid.uuid4().hex}.tmp")
    try:
        with requests.get(url, stream=True, timeout=_PATIENCE) as answer, temporary.open("xb") as target:
            answer.raise_for_status()
            for block in answer.iter_content(_AT_ONCE):
                target.write(block)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _from_hub(stream: PretrainedStream) -> Source:
    """A name at Hugging Face, fetched to where its client keeps it: settings, and weights in the safest form."""
    model = stream.model
    require_extra(model)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        folder = Path(
            snapshot_download(model, revision=stream.revision, allow_patterns=[*_SETTINGS, "model*.safetensors"])
        )
        if not weight_files(folder):
            folder = Path(snapshot_download(model, revision=stream.revision, allow_patterns=["pytorch_model*.bin"]))
    except (HFValidationError, GatedRepoError, RepositoryNotFoundError) as error:
        raise FrontEndError(
            f"front end {model!r}: Hugging Face has no such model, or not for everyone ({_first_line(error)}); name "
            f"one such as openai/whisper-base, a folder, or a bundle such as {TORCHAUDIO}WAVLM_BASE_PLUS; emodarts "
            f"front-ends lists them"
        ) from None
    except RevisionNotFoundError:
        raise FrontEndError(
            f"front end {model}: Hugging Face has no revision {stream.revision} of it; name another, or none"
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise FrontEndError(
            f"front end {model} is not on this machine ({hub_folder()}) and cannot be fetched ({_first_line(error)}); "
            f"where there is no internet, fetch it elsewhere by `hf download {model} --local-dir FOLDER`, copy FOLDER "
            f"here and name it instead of {model}"
        ) from None
    return read_folder(model, folder, folder.name)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
