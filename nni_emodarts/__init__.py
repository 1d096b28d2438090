"""Joint search of CNN and sequential architectures (emoDARTS) for speech emotion recognition, as a plugin for NNI 3.0.

Names are loaded on first use (PEP 562), so that `emodarts --help` does not wait for torch.
"""

from importlib import import_module
from typing import Any

_ROOMS = {
    "Architecture": "models.architecture",
    "EmoDartsSpace": "models.space",
    "EmotionRecognizer": "deploy",
    "ExperimentConfig": "config",
    "build_model": "models.space",
    "load_config": "config",
    "load_preset": "config",
    "run_retrain": "training.retrain",
    "run_search": "search.start",
}

__all__ = sorted(_ROOMS)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
