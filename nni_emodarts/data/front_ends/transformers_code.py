"""Modules of transformers, made by a model's config.json alone: nothing of the model's own is run."""

import warnings
from typing import Any

import torch

from nni_emodarts.data.front_ends.sources import CONFIG_FILE, Source
from nni_emodarts.errors import FrontEndError
from nni_emodarts.runtime.plain_data import JsonObject

_IGNORED = ("auto_map", "torch_dtype", "dtype", "architectures", "transformers_version", "quantization_config")
"""Entries of a config.json that say nothing of an encoder's numbers, or would have others' code run."""


def settings(source: Source) -> JsonObject:
    """The entries of a model's config.json that its encoder is made by."""
    return {name: value for name, value in source.config.items() if name not in _IGNORED and name[:1] != "_"}


def configured(source: Source, config_class: Any, module_class: Any) -> Any:
    """A module of a model's settings on the meta device: it has no weights yet.

    Raises:
        FrontEndError: the settings do not fit each other.
    """
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            return module_class(config_class(**settings(source)))
    except Exception as error:  # whatever others' code makes of settings that may be anything
        raise FrontEndError(
            f"front end {source.model}: its {CONFIG_FILE} cannot be used ({str(error).strip()[:200]}); fetch it again"
        ) from None
