"""What this package uses of `nni.nas`; no other module imports it.

Importing `nni.nas.nn.pytorch` writes a stub file into the installed package, not atomically: of two trials that import
it for the first time at once, one can read half a file. So one process imports at a time. It also warns that it does
not know a class of newer versions of torch, which does no harm. Where tianshou is installed, gym says on stderr that it
is old.
"""

import contextlib
import fcntl
import io
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from nni_emodarts.runtime.plain_data import JsonObject

with (
    (Path(tempfile.gettempdir()) / f"nni_emodarts_import_{os.getuid()}.lock").open("w") as _lock,
    warnings.catch_warnings(),
    contextlib.redirect_stderr(io.StringIO()),
):
    fcntl.flock(_lock, fcntl.LOCK_EX)
    warnings.filterwarnings(
        "ignore", r".*torch\.nn\.parameter\.Buffer.* is found to be not a nn\.Module", RuntimeWarning
    )
    from nni.experiment.config import ExperimentConfig
    from nni.mutable import Categorical
    from nni.nas.evaluator.pytorch import Lightning, LightningModule, Trainer
    from nni.nas.execution import ExecutionEngine, SequentialExecutionEngine, TrainingServiceExecutionEngine
    from nni.nas.execution.event import (
        FinalMetricEvent,
        IntermediateMetricEvent,
        ModelEvent,
        ModelEventType,
        TrainingEndEvent,
    )
    from nni.nas.experiment import NasExperiment
    from nni.nas.experiment.config import NasExperimentConfig
    from nni.nas.nn.pytorch import InputChoice, LayerChoice, ModelSpace
    from nni.nas.oneshot.pytorch.base_lightning import BaseOneShotLightningModule
    from nni.nas.oneshot.pytorch.differentiable import DartsLightningModule
    from nni.nas.oneshot.pytorch.sampling import EnasLightningModule, RandomSamplingLightningModule
    from nni.nas.oneshot.pytorch.strategy import DARTS, ENAS, OneShotStrategy, RandomOneShot
    from nni.nas.oneshot.pytorch.supermodule.differentiable import (
        DifferentiableMixedInput,
        DifferentiableMixedLayer,
        GumbelSoftmax,
    )
    from nni.nas.oneshot.pytorch.supermodule.sampling import PathSamplingInput, PathSamplingLayer
    from nni.nas.space import (
        ExecutableModelSpace,
        ModelStatus,
        RawFormatModelSpace,
        current_model,
        model_context,
    )
    from nni.nas.strategy import TPE, GridSearch, PolicyBasedRL, Random, RegularizedEvolution
    from nni.nas.strategy import rl as _rl
    from nni.nas.strategy.base import Strategy

default_policy: Any = getattr(_rl, "default_policy_fn", None)
"""The policy of PolicyBasedRL and ENAS; None where tianshou is not installed."""

TuningTrajectoryGenerator: Any = getattr(_rl, "TuningTrajectoryGenerator", None)
"""What draws samples from a policy; None where tianshou is not installed."""

ReplayBuffer: Any = getattr(_rl, "ReplayBuffer", None)
"""tianshou's store of what a policy learns from; None where it is not installed."""

Memo = JsonObject
"""What NNI's hooks share: label -> the choice that was made, or the alphas of that label."""
Hook = Callable[..., nn.Module | bool | None]
"""Called with every module of a space (module, name, memo, options); what it returns takes the module's place."""

__all__ = [
    "DARTS",
    "ENAS",
    "TPE",
    "BaseOneShotLightningModule",
    "Categorical",
    "DartsLightningModule",
    "DifferentiableMixedInput",
    "DifferentiableMixedLayer",
    "EnasLightningModule",
    "ExecutableModelSpace",
    "ExecutionEngine",
    "ExperimentConfig",
    "FinalMetricEvent",
    "GridSearch",
    "GumbelSoftmax",
    "Hook",
    "InputChoice",
    "IntermediateMetricEvent",
    "LayerChoice",
    "Lightning",
    "LightningModule",
    "Memo",
    "ModelEvent",
    "ModelEventType",
    "ModelSpace",
    "ModelStatus",
    "NasExperiment",
    "NasExperimentConfig",
    "OneShotStrategy",
    "PathSamplingInput",
    "PathSamplingLayer",
    "PolicyBasedRL",
    "Random",
    "RandomOneShot",
    "RandomSamplingLightningModule",
    "RawFormatModelSpace",
    "RegularizedEvolution",
    "ReplayBuffer",
    "SequentialExecutionEngine",
    "Strategy",
    "Trainer",
    "TrainingEndEvent",
    "TrainingServiceExecutionEngine",
    "TuningTrajectoryGenerator",
    "current_model",
    "default_policy",
    "model_context",
]
