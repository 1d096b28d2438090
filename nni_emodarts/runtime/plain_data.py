"""What JSON files and NNI's messages hold, as types."""

from collections.abc import Mapping
from typing import Any

JsonObject = dict[str, Any]
"""A JSON object: text -> numbers, texts, lists and objects; its readers check what they need of it."""
JsonMapping = Mapping[str, Any]
"""A JSON object that is read alone."""


def plain_key(key: object) -> object:
    """A key that JSON takes; NumPy has numbers of its own."""
    return key.item() if hasattr(key, "item") else key
