"""A cell: one method on one fold with one seed, and what decides its figures."""

import json
from dataclasses import dataclass
from hashlib import sha256

from nni_emodarts.benchmark.methods import SEARCH, Method
from nni_emodarts.config import ExperimentConfig, validate
from nni_emodarts.config.registry import Registry
from nni_emodarts.config.strategies import STRATEGIES, options_for
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines.probe import PROBES, ProbeDesign
from nni_emodarts.models.baselines.ridge import RIDGES, RidgeDesign
from nni_emodarts.models.baselines.svm import SVMS, SvmDesign
from nni_emodarts.runtime.cell_table import CellKey
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.training.retrain import settle_space

REVISION = 2
"""Of search and training: raised where the same settings come to give other figures."""
RANDOM_SEARCH_REVISION = 3
"""Likewise of random search alone."""
SHARPENING_REVISION = 2
"""Likewise of searches with `search.options.sharpening` alone."""


_FITTED: dict[str, tuple[Registry[SvmDesign] | Registry[RidgeDesign] | Registry[ProbeDesign], tuple[str, ...]]] = {
    "svm": (SVMS, ("features",)),
    "ridge": (RIDGES, ("features",)),
    "probe": (PROBES, ()),
}
"""Kind of what is fitted without the recipe -> its designs, and what more of the configuration does not matter."""


@dataclass(frozen=True)
class Cell:
    """One method on one fold with one seed."""

    method: Method
    fold: int
    seed: int

    def __str__(self) -> str:
        return str(self.key)

    @property
    def key(self) -> CellKey:
        """What it is known by in a table."""
        return CellKey(self.method.name, self.fold, self.seed)

    @property
    def search(self) -> "Cell":
        """The cell of the configured search, whose candidates this one takes."""
        return Cell(Method(SEARCH), self.fold, self.seed)

    @property
    def budget_source(self) -> "Cell | None":
        """The cell whose search says what this one may spend, if any."""
        name = self.method.budget_source
        return None if name is None else Cell(Method(name), self.fold, self.seed)


def settings_digest(config: ExperimentConfig, method: Method, manifest: str) -> str:
    """A short digest of all that decides a cell's figures: not of paths, workers or the device.

    Args:
        config: the whole configuration.
        method: what is measured.
        manifest: what stands for the utterances and their list of folds (`Manifest.identity`).
    """
    used = settled(config, method)
    data = what_decides(used)
    revision = REVISION if method.budget_source is None else [REVISION, RANDOM_SEARCH_REVISION]
    data |= {"manifest": manifest, "revision": revision}
    if method.architecture is not None:
        data["architecture"] = Architecture.load(method.architecture).id
    if method.strategy(config) is None:
        del data["search"]
    elif getattr(used.search.strategy_options(), "sharpening", 0.0):
        data["sharpening"] = SHARPENING_REVISION
    if method.hand_designed:
        data["space"] = {"dropout": config.space.dropout}  # all that it has of the space
    fitted = _FITTED.get(method.entry.kind)
    if fitted is not None:
        registry, beside = fitted
        for section in ("space", "retrain", "revision", *beside):
            del data[section]
        data[method.entry.kind] = registry[method.name].settings()
    return short_digest(data)


def what_decides(config: ExperimentConfig) -> JsonObject:
    """What of a configuration may decide figures: not paths, workers or the device."""
    data = config.meaning()
    for key in ("device", "preset"):
        del data[key]
    data["data"] = config.data.decisive()
    return data


def short_digest(data: JsonObject) -> str:
    """A short digest of plain data."""
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def settled(config: ExperimentConfig, method: Method) -> ExperimentConfig:
    """The configuration as a method uses it."""
    if method.architecture is not None:
        return settle_space(config, Architecture.load(method.architecture), explicit=False)
    strategy = method.strategy(config)
    if strategy is None or strategy == config.search.strategy:
        return config
    data = config.model_dump(mode="json")
    data["search"]["strategy"] = strategy
    data["search"]["options"] = options_for(strategy, config.search.options)
    if STRATEGIES[strategy].family == "one-shot":  # which measures no candidate by itself
        data["search"]["estimate"] = None
    return validate(data)
