"""What each ablation changes of the configuration as shipped, as a table: name -> settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nni_emodarts.config import SCOPES, ExperimentConfig, lay_over
from nni_emodarts.models.baselines import ON_MAPS

HAND_DESIGNED = "hand_designed"
GROUPS = {
    HAND_DESIGNED: "Hand-designed networks of the paper",
    "scope": "Operations of the sequential part",
    "order": "First against second order",
    "collapse": "Cures against collapse",
    "recipe": "Parts of the retrain recipe: one left out, or one added",
    "features": "Features",
}
REFERENCE = "as_shipped"


@dataclass(frozen=True)
class Variant:
    """One change of the configuration.

    Attributes:
        name: of its row and its folder.
        group: key of `GROUPS`.
        settings: laid over the configuration as shipped.
        method: what is measured.
    """

    name: str
    group: str
    settings: tuple[str, ...] = ()
    method: str = "darts"

    @property
    def retrained(self) -> bool:
        """Whether only the retraining changes, so that the architectures as shipped are retrained."""
        return all(setting.startswith("retrain.") for setting in self.settings) and self.method == "darts"

    @property
    def in_main_table(self) -> bool:
        """Whether its cells are those of the main table."""
        return self.method in ON_MAPS


@dataclass(frozen=True)
class Part:
    """Something that is on or off: left out where it is shipped, added where it is not."""

    name: str
    group: str
    off: tuple[str, ...]
    on: tuple[str, ...]

    def variant(self, shipped: ExperimentConfig) -> Variant:
        """The change of this part alone."""
        if _equal(lay_over(shipped, self.off), shipped):
            return Variant(f"with_{self.name}", self.group, self.on)
        return Variant(f"without_{self.name}", self.group, self.off)


VARIANTS = (
    *(Variant(name, HAND_DESIGNED, method=name) for name in ON_MAPS),
    *(Variant(f"scope_{scope}", "scope", (f"space.seqnn_scope={scope}",)) for scope in SCOPES),
    Variant("second_order", "order", method="darts_second_order"),
    Variant("mfcc", "features", ("features.kind=mfcc", "retrain.perturbation.pitch=0")),
    Variant("log_mel", "features", ("features.kind=log_mel",)),
)
"""Changes that are the same whatever is shipped; one that changes nothing is left out."""

PARTS = (
    Part("beta_decay", "collapse", ("search.options.beta_decay=0",), ("search.options.beta_decay=1",)),
    Part(
        "partial_channels", "collapse", ("search.options.partial_channels=1",), ("search.options.partial_channels=4",)
    ),
    Part("skip_dropout", "collapse", ("search.options.skip_dropout=0",), ("search.options.skip_dropout=0.3",)),
    Part("max_skips", "collapse", ("search.options.max_skips=null",), ("search.options.max_skips=2",)),
    Part(
        "perturbation_selection",
        "collapse",
        ("search.options.selection=alpha",),
        ("search.options.selection=perturbation",),
    ),
    Part(
        "normalized_recurrence",
        "collapse",
        ("search.options.normalized_recurrence=false",),
        ("search.options.normalized_recurrence=true",),
    ),
    Part(
        "normalized_network",
        "collapse",
        ("space.seqnn_normalization=false",),
        ("space.seqnn_normalization=true",),
    ),
    Part("label_smoothing", "recipe", ("retrain.label_smoothing=0",), ("retrain.label_smoothing=0.1",)),
    Part("mixup", "recipe", ("retrain.mixup=0",), ("retrain.mixup=0.2",)),
    Part(
        "perturbation",
        "recipe",
        tuple(f"retrain.perturbation.{key}=0" for key in ("tempo", "pitch", "noise")),
        (
            "retrain.perturbation.tempo=0.15",
            "retrain.perturbation.pitch=0.05",
            "retrain.perturbation.noise=0.1",
        ),
    ),
    Part("level", "recipe", ("retrain.perturbation.level=0",), ("retrain.perturbation.level=0.5",)),
    Part("excerpt", "recipe", ("retrain.excerpt=1",), ("retrain.excerpt=0.5",)),
    Part(
        "spec_augment",
        "recipe",
        ("retrain.spec_augment.time_masks=0", "retrain.spec_augment.frequency_masks=0"),
        ("retrain.spec_augment.time_masks=2", "retrain.spec_augment.frequency_masks=2"),
    ),
    Part("averaging", "recipe", ("retrain.averaging=0",), ("retrain.averaging=0.99",)),
    Part("focal", "recipe", ("retrain.focal=0",), ("retrain.focal=2",)),
    Part("class_weights", "recipe", ("retrain.class_weights=false",), ("retrain.class_weights=true",)),
    Part("drop_path", "recipe", ("retrain.drop_path=0",), ("retrain.drop_path=0.1",)),
    Part("width", "recipe", ("retrain.width=1",), ("retrain.width=2",)),
    Part("refit", "recipe", ("retrain.refit=false",), ("retrain.refit=true",)),
    Part("last_epoch", "recipe", ("retrain.keep=best",), ("retrain.keep=last",)),
    Part("contours", "features", ("features.contours=[]",), ("features.contours=[pitch, energy]",)),
    Part("deltas", "features", ("features.deltas=0",), ("features.deltas=2",)),
)
"""Parts that are left out, or added, one by one."""


def variants(shipped: ExperimentConfig, groups: Sequence[str]) -> Iterator[Variant]:
    """The changes of some groups, each a change indeed.

    Args:
        shipped: the configuration as shipped.
        groups: keys of `GROUPS`.
    """
    for each in (*VARIANTS, *(part.variant(shipped) for part in PARTS)):
        if each.group in groups and _changes(each, shipped):
            yield each


def _changes(variant: Variant, shipped: ExperimentConfig) -> bool:
    return variant.method != shipped.search.strategy or not _equal(lay_over(shipped, variant.settings), shipped)


def _equal(first: ExperimentConfig, second: ExperimentConfig) -> bool:
    """Whether two configurations do the same; an option that is set to its default does."""
    return _resolved(first) == _resolved(second)


def _resolved(config: ExperimentConfig) -> dict[str, Any]:
    data = config.model_dump(mode="json")
    data["search"]["options"] = config.search.strategy_options().model_dump(mode="json")
    return data
