"""Recordings -> maps: log-mel or MFCC with contours, kept in a memory-mapped store, normalised on training speakers.

Loaded when first used, so that recordings can be read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nni_emodarts.data.features.adaptation import SpeakerNormalizer
    from nni_emodarts.data.features.audio import read_audio
    from nni_emodarts.data.features.building import build_store, fill_store
    from nni_emodarts.data.features.contours import CONTOURS
    from nni_emodarts.data.features.extraction import FeatureExtractor
    from nni_emodarts.data.features.functionals import Functionals
    from nni_emodarts.data.features.moments import Moments, Pooled
    from nni_emodarts.data.features.normalization import Normalizer, Normalizers
    from nni_emodarts.data.features.store import FeatureStore

_HOMES = {
    "CONTOURS": "contours",
    "FeatureExtractor": "extraction",
    "FeatureStore": "store",
    "Functionals": "functionals",
    "Moments": "moments",
    "Normalizer": "normalization",
    "Normalizers": "normalization",
    "Pooled": "moments",
    "SpeakerNormalizer": "adaptation",
    "build_store": "building",
    "fill_store": "building",
    "read_audio": "audio",
}
__all__ = [
    "CONTOURS",
    "FeatureExtractor",
    "FeatureStore",
    "Functionals",
    "Moments",
    "Normalizer",
    "Normalizers",
    "Pooled",
    "SpeakerNormalizer",
    "build_store",
    "fill_store",
    "read_audio",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
