"""Answers and rows as text of a JSON file, and what one temperature makes of logits."""

import base64
import binascii

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

Logits = npt.NDArray[np.float32]
"""(n, K) logarithms of probabilities, which are logits up to a constant of each utterance."""

HOTTEST = 100.0
"""Temperatures are sought from its reciprocal up to it."""


def encode_logits(probabilities: npt.NDArray[np.floating]) -> str:
    """Probabilities (n, K) as text: K, a colon, and their logarithms as float16 in base64."""
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype("<f2")
    return f"{logits.shape[1]}:{base64.b64encode(logits.tobytes()).decode()}"


def decode_logits(text: str) -> Logits:
    """The logits (n, K) that `encode_logits` wrote.

    Raises:
        ValueError: it wrote something else.
    """
    width, _, data = text.partition(":")
    return np.frombuffer(_bytes(data), "<f2").reshape(-1, int(width)).astype(np.float32)


def encode_values(values: npt.NDArray[np.floating]) -> str:
    """Values (n, D) in dimensions as text: D, a colon, and the values as float32 in base64."""
    return f"{values.shape[1]}:{base64.b64encode(values.astype('<f4').tobytes()).decode()}"


def decode_values(text: str) -> npt.NDArray[np.float64]:
    """The values (n, D) that `encode_values` wrote.

    Raises:
        ValueError: it wrote something else.
    """
    width, _, data = text.partition(":")
    return np.frombuffer(_bytes(data), "<f4").reshape(-1, int(width)).astype(np.float64)


def encode_rows(rows: npt.NDArray[np.int64]) -> str:
    """Rows of a manifest in ascending order as text: uint32 in base64."""
    return base64.b64encode(rows.astype("<u4").tobytes()).decode()


def decode_rows(text: str) -> npt.NDArray[np.int64]:
    """The rows that `encode_rows` wrote."""
    return np.frombuffer(_bytes(text), "<u4").astype(np.int64)


def log_loss(logits: Logits, true: npt.NDArray[np.int64], temperature: float = 1.0) -> float:
    """Mean cross entropy in natural logarithms, of the softmax of logits / temperature.

    Args:
        logits: (n, K).
        true: (n,) numbers of the true classes.
        temperature: what logits are divided by.

    >>> round(log_loss(np.log(np.array([[0.8, 0.2], [0.4, 0.6]], np.float32)), np.array([0, 1])), 4)
    0.367
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(1, keepdims=True)
    sums = np.log(np.exp(scaled).sum(1))
    return float((sums - scaled[np.arange(len(true)), true]).mean())


def fit_temperature(logits: Logits, true: npt.NDArray[np.int64]) -> float:
    """The one temperature under which the cross entropy of logits is least (Guo et al. 2017, temperature scaling).

    Of answers that are all right it is one under which nothing is lost.

    Args:
        logits: (n, K).
        true: (n,) numbers of the true classes.
    """
    bound = np.log(HOTTEST)
    found = minimize_scalar(
        lambda logarithm: log_loss(logits, true, float(np.exp(logarithm))), bounds=(-bound, bound), method="bounded"
    )
    return float(np.exp(found.x))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from None
