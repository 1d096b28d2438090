"""Whether a run that goes on has the settings that it began with: by what they mean, not by how they are written."""

from collections.abc import Iterator, Mapping

from nni_emodarts.config.faults import shorten
from nni_emodarts.config.loading import read_sections, validate
from nni_emodarts.config.schema import ExperimentConfig
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.run_folder import CONFIG, RunFolder

_SHOWN = 3


def refuse_other_settings(folder: RunFolder, config: ExperimentConfig) -> None:
    """Check that a run that goes on has the settings that it began with.

    Options that came later and are off, paths, workers, the device and the preset's name make no other run.

    Args:
        folder: the run's folder.
        config: the configuration that it would go on with.

    Raises:
        RunFolderError: they differ, or the folder's own cannot be read.
    """
    if not folder.has(CONFIG):
        return
    try:
        held = meaning(validate(read_sections(folder.path / CONFIG)))
    except ConfigError as error:
        raise RunFolderError(
            f"output folder {folder.path} holds a run whose {CONFIG} cannot be read ({error}); restore it, or name "
            f"another folder"
        ) from None
    differing = list(_differences(held, meaning(config)))
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise RunFolderError(
            f"output folder {folder.path} holds a run with other settings ({CONFIG}): {', '.join(differing[:_SHOWN])}"
            f"{more}; {folder.remedy}"
        )


def meaning(config: ExperimentConfig) -> JsonObject:
    """All that decides what a run computes, with the strategy's defaults filled in."""
    data = config.meaning()
    for key in ("device", "preset"):
        del data[key]
    data["data"] = config.data.decisive()  # what corpus and folds hold is known by their digests (`corpus.json`)
    data["search"]["options"] = config.search.strategy_options().meaning()
    data["space"] = config.space.identity() | ({"fixed": dict(config.space.fixed)} if config.space.fixed else {})
    return data


def _differences(held: JsonMapping, asked: JsonMapping, above: str = "") -> Iterator[str]:
    """The settings that differ, by name and with both values."""
    for key in dict.fromkeys([*held, *asked]):
        one, other = held.get(key), asked.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, f"{above}{key}.")
        elif one != other:
            yield f"{above}{key} is {shorten(one)} there and {shorten(other)} here"
