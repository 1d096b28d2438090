"""Lightning's training in several processes, with gradients that are brought together at each backward pass."""

import os
from typing import Any

from pytorch_lightning.plugins.environments import (  # type: ignore[attr-defined]
    LightningEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.strategies import DDPStrategy, ParallelStrategy
from torch import Tensor

from nni_emodarts.training.parallel import group


class SharedTraining(DDPStrategy):
    """Lightning's DDP without torch's wrapper around the module.

    That wrapper brings gradients together once for each forward pass, and expects one of every parameter. A step of a
    one-shot search has a backward pass of the alphas alone, then one of the weights alone, or four in a row that leave
    no gradient in any parameter: with the wrapper, alphas would step on the gradients of their own process, and the
    processes would end with different architectures. Here the gradients of what learns are averaged after every
    backward pass, before they are clipped and stepped on.
    """

    def __init__(self) -> None:
        super().__init__(cluster_environment=TorchElasticEnvironment())

    def setup_environment(self) -> None:
        """Lightning's hook, without a process group of its own and without a new seed: both are settled earlier."""
        ParallelStrategy.setup_environment(self)
        self.set_world_ranks()

    def configure_ddp(self) -> None:
        """Lightning's hook: all processes begin with the weights of the first."""
        if self.lightning_module is not None:
            group.begin_alike(self.lightning_module)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Lightning's hook behind each backward pass."""
        module: Any = self.lightning_module
        group.average_gradients(module.parameters())


def devices_of_group() -> dict[str, Any]:
    """What a Lightning trainer is to know of the processes that train together; of one alone, that it is one."""
    processes = group.size()
    if processes == 1:
        # also in a job of SLURM, whose task Lightning would else take for one of several that train together
        return {"devices": 1, "plugins": [LightningEnvironment()]}
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return {
        "devices": here,
        "num_nodes": processes // here,
        "strategy": SharedTraining(),
        "use_distributed_sampler": False,
    }
