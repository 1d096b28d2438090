"""What a person gives as a recording, understood: a file's name, its bytes, a file object, an array or a tensor."""

import io
import math
import os
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from nni_emodarts.data.features.audio import SAMPLING_RATES
from nni_emodarts.errors import AudioError

Recording = str | os.PathLike[str] | bytes | BinaryIO | np.ndarray
"""A file's name; its bytes; a file that is open in binary mode; or samples: (S,), (S, channels) or (channels, S), of
NumPy or of any tensor that NumPy reads."""
TAKEN = "give a file's name, its bytes, a file opened in binary mode, or samples as a NumPy array or a tensor"


def name_of(recording: object) -> str:
    """What messages and answers call a recording."""
    if isinstance(recording, str | os.PathLike):
        return os.fsdecode(recording)
    if isinstance(recording, bytes | bytearray | memoryview):
        return "bytes"
    if hasattr(recording, "read"):
        name = getattr(recording, "name", None)
        return name if isinstance(name, str) else "file"
    return "array" if hasattr(recording, "__array__") else type(recording).__name__


def understand(name: str, recording: object) -> Path | BinaryIO | np.ndarray:
    """A recording as a file, a file object or an array.

    Raises:
        AudioError: it is none of them.
    """
    if isinstance(recording, np.ndarray):
        return recording
    if isinstance(recording, str | os.PathLike):
        return Path(os.fsdecode(recording))
    if isinstance(recording, bytes | bytearray | memoryview):
        return io.BytesIO(recording)
    if hasattr(recording, "read"):
        return _checked_file(name, recording)
    if hasattr(recording, "__array__"):
        return _as_array(name, recording)
    raise AudioError(f"{name}: is no recording; {TAKEN}")


def _checked_file(name: str, file: Any) -> BinaryIO:
    """A file object, if it gives bytes and can be read twice."""
    try:
        seekable = file.seekable()
        start = file.read(0) if seekable and not file.seek(0) else b""
    except Exception as error:  # whatever an object does that only looks like a file
        raise AudioError(f"{name}: is no file that can be read ({error}); {TAKEN}") from None
    if not seekable:
        raise AudioError(f"{name}: cannot be sought in, as a pipe; read it to its end and give its bytes")
    if not isinstance(start, bytes):
        raise AudioError(f"{name}: is open as text; open it in binary mode ('rb')")
    return cast("BinaryIO", file)


def _as_array(name: str, tensor: Any) -> np.ndarray:
    """Samples of a tensor, wherever it lies and whatever has become of it."""
    try:
        if hasattr(tensor, "detach"):  # PyTorch, which is not imported for this
            tensor = tensor.detach().cpu()
            tensor = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        return np.asarray(tensor)
    except Exception as error:  # sparse, quantised, without memory, ...
        raise AudioError(f"{name}: cannot be read as an array ({error}); {TAKEN}") from None


def checked_rate(rate: object) -> int:
    """An array's sampling rate in Hz.

    Raises:
        AudioError: it is unknown, no whole number or out of bounds.
    """
    low, high = SAMPLING_RATES
    if rate is None:
        raise AudioError("array: its sampling rate is unknown; give sampling_rate in Hz")
    try:
        number = float(rate)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high or number != int(number):
        raise AudioError(f"array: sampling_rate {rate} must be a whole number of Hz from {low} to {high}")
    return int(number)


def as_columns(samples: np.ndarray) -> np.ndarray:
    """Samples as (S, channels), time being the longer axis.

    Raises:
        AudioError: they are no numbers, or none, or have other axes.
    """
    if samples.dtype.kind not in "iuf":
        raise AudioError(f"array: of type {samples.dtype}; give whole or real numbers")
    if samples.ndim not in (1, 2):
        raise AudioError(f"array: of shape {samples.shape}; give one recording as (samples,) or (samples, channels)")
    if samples.ndim == 2 and samples.shape[0] < samples.shape[1]:
        samples = samples.T
    if not samples.size:
        raise AudioError("array: holds 0 samples; record it again or leave it out")
    return samples.reshape(len(samples), -1)


def ceiling_of(samples: np.ndarray) -> float:
    """The largest sample that their type holds."""
    return 1.0 if samples.dtype.kind == "f" else 1.0 - 2.0 ** (1 - 8 * samples.dtype.itemsize)


def as_float(samples: np.ndarray) -> np.ndarray:
    """Whole numbers scaled by their type to -1 to 1; unsigned ones are centred, as WAV stores 8 bits."""
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # reported as samples that are not finite
            return samples.astype(np.float32)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    shift = half if samples.dtype.kind == "u" else 0.0
    return np.asarray((samples.astype(np.float64) - shift) / half, np.float32)
