"""A run folder that travels inside a trial's result, where no folder is shared: all of it but weights."""

import base64
import json
import logging
import lzma
import re
from pathlib import Path

from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.reading import MEGABYTE
from nni_emodarts.runtime.run_folder import FILES, METRICS, SEARCH
from nni_emodarts.runtime.writing import write_atomically

logger = logging.getLogger(__name__)

COLUMN = "run_folder"
"""Key of a trial's result."""
_LARGEST = 8 * MEGABYTE
"""Characters of a packed folder; the web UI asks for all results again and again."""
_LARGEST_UNPACKED = 256 * MEGABYTE
_KINDS = (".json", ".csv", ".yml", ".svg")
_NAMES = frozenset(name for name in FILES if Path(name).suffix in _KINDS)
_TRIAL = re.compile(r"[A-Za-z0-9]{1,32}")


def pack(folder: Path, trial: str) -> str | None:
    """The figures of a run and of its search, compressed; None where they are too large to travel, which is logged.

    Args:
        folder: the run's.
        trial: its id.
    """
    files = {}
    for place in ("", f"{SEARCH}/"):
        for name in sorted(_NAMES):
            if (folder / place / name).is_file():
                files[place + name] = (folder / place / name).read_text(encoding="utf-8")
    data = lzma.compress(json.dumps({"trial": trial, "files": files}).encode())
    packed = base64.urlsafe_b64encode(data).decode()  # NNI's reader of JSON drops what follows # or //, in texts too
    if len(packed) > _LARGEST:
        logger.error(
            "the figures take %d MB, more than the %d that travel with a result: they stay in %s; "
            "give emodarts experiment a --shared folder", len(packed) // MEGABYTE, _LARGEST // MEGABYTE, folder,
        )  # fmt: skip
        return None
    return packed


def unpack(packed: str, trials: Path) -> Path:
    """Write a folder that travelled.

    Args:
        packed: what `pack` gave, on another machine.
        trials: where the folders of trials lie; it gets the trial's name in there.

    Returns:
        The folder.

    Raises:
        ValueError: it is nothing that `pack` gives.
        OSError: it cannot be written.
    """
    data = _read(packed)
    trial, files = data.get("trial"), data.get("files")
    if not isinstance(trial, str) or not _TRIAL.fullmatch(trial) or not isinstance(files, dict):
        raise ValueError("no folder of a trial")
    for name, text in files.items():
        if str(name).removeprefix(f"{SEARCH}/") not in _NAMES or not isinstance(text, str):
            raise ValueError(f"a file that no run leaves: {str(name)[:100]}")
    folder = trials / trial
    for name in sorted(files, key=METRICS.__eq__):  # the figures come last: where they are, all is
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, files[name].encode())
    return folder


def _read(packed: str) -> JsonObject:
    try:
        reader = lzma.LZMADecompressor(memlimit=_LARGEST_UNPACKED)
        text = reader.decompress(base64.urlsafe_b64decode(packed), max_length=_LARGEST_UNPACKED)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None
    data = json.loads(text)
    if not reader.eof or not isinstance(data, dict):
        raise ValueError("cut, or too large")
    return data
