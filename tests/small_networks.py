"""A space of networks so small that a test may train dozens of them."""

from typing import Any

SMALL_NETWORKS: dict[str, Any] = {
    "cnn_cells": 1, "reduction_cells": (), "cnn_nodes": 1, "cnn_channels": 2, "seqnn_cells": 1, "seqnn_nodes": 1,
    "seqnn_width": 4, "cnn_primitives": ("max_pool_3x3", "skip_connect", "sep_conv_3x3"),
    "seqnn_primitives": ("lstm_1", "rnn_1", "skip_connect"),
}  # fmt: skip
"""Laid over the section `space`."""
