"""Whether figures are speaker-dependent: where a list of folds has speakers on both sides."""

from dataclasses import replace

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.fold_lists import FoldList
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.errors import ProtocolError


def settle_overlap(config: ExperimentConfig, manifest: Manifest) -> ExperimentConfig:
    """The configuration, which allows speakers on both sides only where a fold has some: it marks all of its figures.

    Args:
        config: the configuration.
        manifest: the utterances, with their list of folds where there is one.
    """
    folds = manifest.folds
    if not config.speaker_dependent or (folds is not None and _shares(manifest, folds, config.data.protocol)):
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"speaker_overlap": "refuse"})})


def _shares(manifest: Manifest, folds: FoldList, protocol: str) -> bool:
    """Whether any fold of a list would be refused without leave."""
    try:
        make_folds(replace(manifest, folds=replace(folds, allows_overlap=False)), protocol)
    except ProtocolError:
        return True
    return False
