"""Pretrained encoders of speech that can be heard with: recordings -> levels (L, D, T).

Code is imported when first used, so that front ends can be listed without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nni_emodarts.data.front_ends.facts import FrontEndFacts, front_end_facts, stream_rate, stream_shape

if TYPE_CHECKING:
    from nni_emodarts.data.front_ends.hearing import FrontEnd, load_front_end

_HOMES = {"FrontEnd": "hearing", "load_front_end": "hearing"}
__all__ = ["FrontEnd", "FrontEndFacts", "front_end_facts", "load_front_end", "stream_rate", "stream_shape"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
