"""The joint CNN-SeqNN space."""

from nni_emodarts.models.space.cells import set_drop_path
from nni_emodarts.models.space.emodarts import EmoDartsSpace, build_model, random_architecture

__all__ = ["EmoDartsSpace", "build_model", "random_architecture", "set_drop_path"]
