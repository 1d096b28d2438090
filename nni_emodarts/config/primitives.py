"""Names of the operations that an edge chooses from."""

from typing import Literal, get_args

CnnPrimitive = Literal[
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "none",
]
CNN_PRIMITIVES: tuple[CnnPrimitive, ...] = get_args(CnnPrimitive)
"""CNN operations of emoDARTS (Rajapakshe et al. 2024, section III), the set of DARTS (Liu et al. 2019)."""

SEQNN_PRIMITIVES = (
    *(f"lstm_{layers}" for layers in (1, 2, 3, 4)),
    *(f"rnn_{layers}" for layers in (1, 2, 3, 4)),
    *(f"lstm_att_{layers}" for layers in (1, 2)),
    *(f"rnn_att_{layers}" for layers in (1, 2)),
    "skip_connect",
    "none",
)
"""Sequential operations of emoDARTS: k stacked layers, or k bidirectional layers followed by attention."""

SCOPES = {
    "all": SEQNN_PRIMITIVES,
    "lstm": ("lstm_1", "lstm_2", "lstm_3", "lstm_4", "skip_connect", "none"),
    "rnn": ("rnn_1", "rnn_2", "rnn_3", "rnn_4", "skip_connect", "none"),
    "lstm_att": ("lstm_att_1", "lstm_att_2", "skip_connect", "none"),
    "rnn_att": ("rnn_att_1", "rnn_att_2", "skip_connect", "none"),
}
"""Scopes of the sequential part: which family of operations a search may choose from."""

Scope = Literal["all", "lstm", "rnn", "lstm_att", "rnn_att"]
NONE = "none"
"""The operation that exists in the supernet only: no derived network holds it."""
