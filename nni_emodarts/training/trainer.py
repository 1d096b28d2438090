"""Where and how networks are computed."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch

from nni_emodarts.errors import ConfigError
from nni_emodarts.nni_bridge.nas import Trainer
from nni_emodarts.runtime.environment import describe_environment
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.training.parallel.start import local_rank
from nni_emodarts.training.parallel.strategy import devices_of_group


def pick_device(name: str) -> torch.device:
    """The device of `auto`, `cpu` or `gpu`; a GPU is made to compute reproducibly.

    Raises:
        ConfigError: `gpu`, and torch finds none.
    """
    found = torch.accelerator.is_available()
    if name == "gpu" and not found:
        raise ConfigError("device: gpu is asked for, but torch finds none; set device to auto or cpu")
    accelerator = torch.accelerator.current_accelerator() if found and name != "cpu" else None
    if accelerator is None:
        return torch.device("cpu")
    _compute_reproducibly()
    return torch.device(accelerator.type, local_rank())


def _compute_reproducibly() -> None:
    """In this process, a GPU adds in the same order each time, and in float32 rather than TF32.

    So one seed gives one network, a resumed run ends as one never stopped, and answers are those of a CPU but for
    rounding. Steps of networks this small wait for kernels to start rather than for arithmetic. An operation that
    knows no fixed order is warned of.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:2")  # read when cuBLAS starts; its recurrences need it
    torch.use_deterministic_algorithms(True, warn_only=True)
    deterministic: Any = torch.utils.deterministic  # its types do not know the switch
    deterministic.fill_uninitialized_memory = False  # else one more kernel for each result
    torch.backends.cudnn.allow_tf32 = False


def environment_of(device: torch.device) -> JsonObject:
    """Versions and hardware of what this process computes on a device, as data."""
    named = None if device.type == "cpu" else getattr(torch.get_device_module(device), "get_device_name", None)
    return describe_environment(str(device), torch.get_num_threads(), None if named is None else str(named(device)))


def make_trainer(device: torch.device, epochs: int, callbacks: list[pl.Callback], gradient_clip: float | None) -> Any:
    """A Lightning trainer that computes on this process's device and writes nothing; traced, as NNI demands."""
    return Trainer(
        accelerator="cpu" if device.type == "cpu" else "gpu",
        **devices_of_group(),
        max_epochs=epochs,
        callbacks=callbacks,
        gradient_clip_val=gradient_clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning and NNI without their remarks: advertisements, missing GPUs, loaders that a search has no use for.

    What NNI calls errors it raises, too, after the tracebacks of its attempts.
    """
    wanted = {"pytorch_lightning": logging.ERROR, "lightning": logging.ERROR, "nni": logging.CRITICAL}
    loggers = [logging.getLogger(name) for name in wanted]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(wanted[logger.name])
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated")
            warnings.filterwarnings("ignore", r"The '.*' does not have many workers")
            warnings.filterwarnings("ignore", r"The `srun` command is available")
            warnings.filterwarnings("ignore", r"GPU available but not used")
            warnings.filterwarnings("ignore", r"You defined a `validation_step` but have no `val_dataloader`")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
