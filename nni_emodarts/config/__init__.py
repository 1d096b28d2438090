"""The whole experiment as typed data, every fault of it reported in one message.

Classes below this room take plain arguments, never a configuration.
"""

from nni_emodarts.config.augmentation import PerturbationConfig, SpecAugmentConfig
from nni_emodarts.config.data import (
    DIMENSIONS,
    FILE_PROTOCOL,
    SCALE_COLUMN,
    SYNTHETIC,
    DataConfig,
    Range,
    Task,
    parse_scale,
)
from nni_emodarts.config.estimate import EstimateConfig
from nni_emodarts.config.faults import describe_fault, enumerate_faults, nearest, shorten
from nni_emodarts.config.loading import (
    PRESETS,
    as_setting,
    lay_over,
    load_config,
    load_preset,
    located,
    read_preset,
    validate,
)
from nni_emodarts.config.objective import ObjectiveConfig
from nni_emodarts.config.primitives import CNN_PRIMITIVES, NONE, SCOPES, SEQNN_PRIMITIVES
from nni_emodarts.config.resuming import refuse_other_settings
from nni_emodarts.config.schema import (
    MOST_CLASSES,
    ExperimentConfig,
    FeatureConfig,
    OptimizerConfig,
    RetrainConfig,
    SearchConfig,
    SpaceConfig,
)
from nni_emodarts.config.streams import (
    FUNCTIONALS,
    TORCHAUDIO,
    Frames,
    HeardStream,
    InputShape,
    PretrainedStream,
    Shape,
    SpectralSettings,
    SpectralStream,
    front_end_streams,
    located_model,
    of_stream,
)
from nni_emodarts.config.together import (
    check_retraining_together,
    check_search_together,
    is_further_machine,
    refuse_several_machines,
)

__all__ = [
    "CNN_PRIMITIVES",
    "DIMENSIONS",
    "FILE_PROTOCOL",
    "FUNCTIONALS",
    "MOST_CLASSES",
    "NONE",
    "PRESETS",
    "SCALE_COLUMN",
    "SCOPES",
    "SEQNN_PRIMITIVES",
    "SYNTHETIC",
    "TORCHAUDIO",
    "DataConfig",
    "EstimateConfig",
    "ExperimentConfig",
    "FeatureConfig",
    "Frames",
    "HeardStream",
    "InputShape",
    "ObjectiveConfig",
    "OptimizerConfig",
    "PerturbationConfig",
    "PretrainedStream",
    "Range",
    "RetrainConfig",
    "SearchConfig",
    "Shape",
    "SpaceConfig",
    "SpecAugmentConfig",
    "SpectralSettings",
    "SpectralStream",
    "Task",
    "as_setting",
    "check_retraining_together",
    "check_search_together",
    "describe_fault",
    "enumerate_faults",
    "front_end_streams",
    "is_further_machine",
    "lay_over",
    "load_config",
    "load_preset",
    "located",
    "located_model",
    "nearest",
    "of_stream",
    "parse_scale",
    "read_preset",
    "refuse_other_settings",
    "refuse_several_machines",
    "shorten",
    "validate",
]
