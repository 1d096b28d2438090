"""`nni_bridge.hyperband` by the name that earlier experiments give as a `className`."""

from nni_emodarts.nni_bridge.hyperband import Hyperband

__all__ = ["Hyperband"]
