"""The supernet's cells computed faster or in less memory: the same modules and parameters, the same results.

A hook is plugged in by `extra_oneshot_hooks`; the space itself stays plain LayerChoice and InputChoice.
"""

from nni_emodarts.search.supernet.hooks import accelerate

__all__ = ["accelerate"]
