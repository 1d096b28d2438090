"""Recordings -> maps: log-mel or MFCC with contours, kept in a memory-mapped store, normalised on training speakers."""

from nni_emodarts.features.audio import read_audio
from nni_emodarts.features.building import build_store, fill_store
from nni_emodarts.features.contours import CONTOURS
from nni_emodarts.features.extraction import FeatureExtractor
from nni_emodarts.features.normalization import Normalizer
from nni_emodarts.features.store import FeatureStore, default_cache

__all__ = [
    "CONTOURS",
    "FeatureExtractor",
    "FeatureStore",
    "Normalizer",
    "build_store",
    "default_cache",
    "fill_store",
    "read_audio",
]
