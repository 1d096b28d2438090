"""The name by which experiments know NNI's mended Hyperband: `className: nni_emodarts.nni_hyperband.Hyperband`."""

from nni_emodarts.nni_bridge.hyperband import Hyperband

__all__ = ["Hyperband"]
