"""Using a trained network: recognising recordings, exporting to ONNX, the model card. It reads runs and never trains.

Loaded when first used, so that an exported network needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nni_emodarts.deploy.predictions import Failure, Moment, Prediction
    from nni_emodarts.deploy.recogniser import EmotionRecognizer

_HOMES = {
    "EmotionRecognizer": "recogniser",
    "Failure": "predictions",
    "Moment": "predictions",
    "Prediction": "predictions",
}
__all__ = ["EmotionRecognizer", "Failure", "Moment", "Prediction"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
