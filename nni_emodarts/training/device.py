"""Where networks are computed."""

from typing import Any

import pytorch_lightning as pl
import torch

from nni_emodarts.errors import ConfigError
from nni_emodarts.nni_nas import Trainer


def pick_device(name: str) -> torch.device:
    """The device of `auto`, `cpu` or `gpu`.

    Raises:
        ConfigError: `gpu`, and torch finds none.
    """
    found = torch.accelerator.is_available()
    if name == "gpu" and not found:
        raise ConfigError("device: gpu is asked for, but torch finds none; set device to auto or cpu")
    accelerator = torch.accelerator.current_accelerator() if found and name != "cpu" else None
    return torch.device("cpu") if accelerator is None else torch.device(accelerator.type, 0)


def make_trainer(device: torch.device, epochs: int, callbacks: list[pl.Callback], gradient_clip: float | None) -> Any:
    """A Lightning trainer that computes on one device and writes nothing; traced, as NNI demands."""
    return Trainer(
        accelerator="cpu" if device.type == "cpu" else "gpu",
        devices=1,
        max_epochs=epochs,
        callbacks=callbacks,
        gradient_clip_val=gradient_clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
