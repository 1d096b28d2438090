"""Operations as people read them: names, and a colour for each family.

The colours are those of Okabe and Ito, which stay apart for people who see fewer of them; a name always stands beside.
"""

import re
from typing import NamedTuple

INK = "#1b1f24"
QUIET = "#6b7280"
LANE = "#c3c9d1"
PAPER = "#ffffff"
SURFACE = "#f3f4f6"

CLASS_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8a7a00", "#444444")
"""Colours of lines, taken in turn, that readers can distinguish."""


class Family(NamedTuple):
    """Operations of one kind."""

    name: str
    color: str
    ink: str
    """Colour of a text on it."""


POOLING = Family("pooling", "#56B4E9", INK)
SKIP = Family("skip connection", "#d5d8dd", INK)
SEPARABLE = Family("separable convolution", "#E69F00", INK)
DILATED = Family("dilated convolution", "#C24E00", PAPER)
LSTM = Family("LSTM", "#0072B2", PAPER)
RNN = Family("RNN", "#009E73", INK)
LSTM_ATTENTION = Family("LSTM with attention", "#CC79A7", INK)
RNN_ATTENTION = Family("RNN with attention", "#F0E442", INK)
OTHER = Family("none", PAPER, INK)

FAMILIES = (POOLING, SKIP, SEPARABLE, DILATED, LSTM, LSTM_ATTENTION, RNN, RNN_ATTENTION, OTHER)

_PATTERNS = {
    r"(max|avg)_pool_.*": POOLING,
    r"skip_connect": SKIP,
    r"sep_conv_.*": SEPARABLE,
    r"dil_conv_.*": DILATED,
    r"lstm_\d+": LSTM,
    r"rnn_\d+": RNN,
    r"lstm_att_\d+": LSTM_ATTENTION,
    r"rnn_att_\d+": RNN_ATTENTION,
}

CELL_NAMES = {"normal": "normal cell", "reduce": "reduction cell", "seqnn": "SeqNN cell"}


def layer_name(label: str) -> str:
    """A choice outside the cells in words."""
    return {"stream": "what is heard", "pooling": "pooling"}.get(label, f"level of {label.removeprefix('level_')}")


def family(operation: str) -> Family:
    """The family of an operation."""
    return next((found for pattern, found in _PATTERNS.items() if re.fullmatch(pattern, operation)), OTHER)


def readable(operation: str) -> str:
    """An operation's name in words: `sep_conv_3x3` is sep conv 3×3, `lstm_att_2` LSTM ×2 + attention."""
    recurrent = re.fullmatch(r"(lstm|rnn)_(att_)?(\d+)", operation)
    if recurrent is not None:
        kind, attention, layers = recurrent.groups()
        return f"{kind.upper()} ×{layers}{' + attention' if attention else ''}"
    if operation == "skip_connect":
        return "skip"
    return re.sub(r"(\d)x(\d)", r"\1×\2", operation).replace("_", " ")


def sentence(text: str) -> str:
    """A text with its first letter large, and no other changed."""
    return text[:1].upper() + text[1:]
