"""The supernet's cells computed faster: the same modules and parameters, the same results, less work.

A hook is plugged in by `extra_oneshot_hooks`; the space itself stays plain LayerChoice and InputChoice.
"""

from nni_emodarts.supernet.hooks import accelerate, accelerate_and_recompute

__all__ = ["accelerate", "accelerate_and_recompute"]
