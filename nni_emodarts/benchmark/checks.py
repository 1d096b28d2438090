"""Whether finished cells may stand beside those that are to be computed."""

from collections.abc import Sequence

from nni_emodarts.benchmark.cells import Cell, settings_digest
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.tracks import Track, one_track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import ON_LEVELS
from nni_emodarts.runtime.cell_table import CellKey, Contents
from nni_emodarts.training.retrain.elsewhere import Asked, Elsewhere

Held = Contents[FinishedCell]
"""What a table holds."""


def refuse_two_tracks(config: ExperimentConfig, methods: Sequence[Method]) -> Track:
    """The track of methods, whose figures stand in one table.

    Raises:
        ConfigError: they are of two.
    """
    try:
        return one_track({method.name: method.track(config) for method in methods})
    except ValueError as error:
        raise ConfigError(f"methods {error}; give each track a benchmark of its own") from None


def refuse_unfit_methods(config: ExperimentConfig, methods: Sequence[Method]) -> None:
    """Methods can learn what the configuration says, from the features that it names, by the search that it names.

    Raises:
        ConfigError: one cannot.
    """
    refuse_other_tasks(config, methods)
    refuse_other_features(config, methods)
    refuse_without_candidates(config, methods)


def refuse_other_tasks(config: ExperimentConfig, methods: Sequence[Method]) -> None:
    """Some regressions are of dimensions alone.

    Raises:
        ConfigError: the configuration learns something else.
    """
    names = [method.name for method in methods if method.rates_alone]
    if names and config.data.task != "dimensions":
        raise ConfigError(
            f"data.task: method {', '.join(names)} is of dimensions alone, and task {config.data.task} learns "
            f"emotions; set it to dimensions, or leave the method out"
        )


def refuse_other_features(config: ExperimentConfig, methods: Sequence[Method]) -> None:
    """Probes and heads on all levels hear levels of one pretrained encoder, other hand-designed networks spectral maps.

    Raises:
        ConfigError: the features are of the other kind, or hold several of it.
    """
    features = config.features
    spectral = [method.name for method in methods if method.needs_spectra]
    levels = [method.name for method in methods if method.needs_levels]
    if (spectral or levels) and features.functionals is not None:
        raise ConfigError(
            f"method {', '.join([*spectral, *levels])} is joined by no functionals, but features.functionals is "
            f"{features.functionals}; give it a benchmark of its own without them"
        )
    if spectral and len(features.heard) > 1:
        raise ConfigError(
            f"method {', '.join(spectral)} hears one stream of spectral maps, but the features are "
            f"{', '.join(stream.name for stream in features.heard)}; give it a benchmark of its own on one of them"
        )
    if levels and len(features.pretrained) > 1:
        raise ConfigError(
            f"method {', '.join(levels)} hears levels of one pretrained encoder, but features.streams holds "
            f"{', '.join(stream.name for stream in features.pretrained)}; give it a benchmark of its own on one of them"
        )
    if spectral and features.pretrained:
        raise ConfigError(
            f"method {', '.join(spectral)} hears spectral maps, whose bins have an order, but the features are levels "
            f"of a pretrained encoder; leave --front-end out, or take {', '.join(ON_LEVELS)} instead"
        )
    if levels and not features.pretrained:
        raise ConfigError(
            f"method {', '.join(levels)} hears levels of a pretrained encoder, but features.streams holds none; name "
            f"one by --front-end MODEL, or leave the method out"
        )


def refuse_elsewhere(asked: Asked, methods: Sequence[Method]) -> None:
    """Ensembles are scored on their own corpus alone.

    Raises:
        ConfigError: one is to be scored on others.
    """
    names = [method.name for method in methods if method.ensemble]
    if asked.manifests and names:
        raise ConfigError(
            f"method {', '.join(names)} is scored on no other corpus here; leave --test-manifest out, and score its "
            f"run folders by emodarts score"
        )


def refuse_shared_elsewhere(elsewhere: Elsewhere, tasks: Sequence[FoldTask], methods: Sequence[Method]) -> None:
    """Networks are scored on no speaker whom they learn from, or whom the search of a carried architecture saw.

    Raises:
        OverlapError: a further corpus has one.
    """
    carried = [Architecture.load(method.architecture) for method in methods if method.architecture is not None]
    for origin in ({}, *(architecture.origin for architecture in carried)):
        elsewhere.refuse_shared(tasks, origin)


def refuse_without_other_corpora(elsewhere: Elsewhere, wanted: Sequence[Cell], held: Held) -> None:
    """Finished cells were scored on the further corpora, too, on the same scale.

    Raises:
        RunFolderError: one was not.
    """
    names = set(elsewhere.names)
    for cell in wanted:
        if cell.key not in held.cells:
            continue
        found = held.cells[cell.key]
        if lacking := names - set(found.tallies_elsewhere):
            raise _refused(held, cell.key, f"was not scored on {', '.join(sorted(lacking))}")
        scales = found.other_scales or {}
        if odd := elsewhere.of_another_scale({name: scales.get(name, ()) for name in names}):
            raise _refused(held, cell.key, f"was scored on {', '.join(odd)}")


def refuse_without_candidates(config: ExperimentConfig, methods: Sequence[Method]) -> None:
    """An ensemble is made of candidates of the configured search, measured on speakers that they had not heard.

    Raises:
        ConfigError: the search has none.
    """
    names = [method.name for method in methods if method.ensemble]
    estimate, family = config.search.estimate, STRATEGIES[config.search.strategy].family
    if names and (family != "multi-trial" or estimate is None or estimate.folds == 1):
        raise ConfigError(
            f"method {', '.join(names)} takes the candidates of the configured search, but {config.search.strategy} "
            f"keeps no answers of theirs to speakers that they had not heard; name a search by trials with "
            f"--set search.strategy=random --set search.estimate.folds=3"
        )


def refuse_without_budget_source(wanted: Sequence[Cell], held: Held) -> None:
    """Random search spends what another search did: that one is computed in the same run, or is finished already.

    Raises:
        ConfigError: it is neither.
    """
    sources = _budget_sources(wanted)
    lacking = [source for source in sources if source not in wanted and source.key not in held.cells]
    if lacking:
        source = lacking[0].method.name
        spending = next(cell.method.name for cell in wanted if cell.budget_source == lacking[0])
        raise ConfigError(
            f"method {spending} spends what the search of {source} cost on the same fold and seed, but the cell of "
            f"{lacking[0]} is missing ({len(lacking)} in all); add {source} to the methods"
        )


def refuse_other_settings(config: ExperimentConfig, wanted: Sequence[Cell], held: Held, manifest: str) -> None:
    """Finished cells, also of the searches whose cost others spend, have these settings and this manifest.

    Raises:
        RunFolderError: one has not.
    """
    for cell in (*wanted, *_budget_sources(wanted)):
        found = held.cells.get(cell.key)
        if found is not None and found.settings != settings_digest(config, cell.method, manifest):
            raise _refused(held, cell.key, "was computed with other settings or of another manifest")


def refuse_other_cost(wanted: Sequence[Cell], held: Held) -> None:
    """Random search that is finished was given the cost of the search whose cell is there.

    Raises:
        RunFolderError: it was given another.
    """
    for cell in wanted:
        source, found = cell.budget_source, held.cells.get(cell.key)
        if source is None or found is None:
            continue
        searched, given = held.cells.get(source.key), found.payer_cpu_seconds
        cost = "unknown" if searched is None else searched.search_cpu_seconds
        if given != cost:
            what = f"was given the cost of a search of {given} CPU seconds, but that of {source} took {cost}"
            raise _refused(held, cell.key, what)


def refuse_other_recordings(wanted: Sequence[Cell], held: Held, found: str | None) -> None:
    """All finished cells are of the same recordings: of those that are `found`, where any are to join them.

    Cells that say nothing of their recordings are taken for what they are called.

    Raises:
        RunFolderError: some are of others.
    """
    there = {cell.key: held.cells[cell.key].recordings for cell in wanted if cell.key in held.cells}
    known = {key: recordings for key, recordings in there.items() if recordings is not None}
    expected = found or next(iter(known.values()), None)
    odd = [key for key, recordings in known.items() if recordings != expected]
    if odd:
        what = f"was computed from other recordings ({len(odd)} in all): files were replaced, mended or skipped since"
        raise _refused(held, odd[0], what)


def _refused(held: Held, key: CellKey, what: str) -> RunFolderError:
    return RunFolderError(f"{held.places[key]} ({key}) {what}; name another folder by --out, this one is finished")


def _budget_sources(wanted: Sequence[Cell]) -> list[Cell]:
    """The cells whose cost others may spend."""
    return [cell.budget_source for cell in wanted if cell.budget_source is not None]
