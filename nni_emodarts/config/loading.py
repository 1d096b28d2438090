"""A configuration is a preset, overlaid by a YAML file, overlaid by `a.b=c` settings, and validated once."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from importlib import resources
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from nni_emodarts.config.faults import describe_fault, enumerate_faults, nearest, shorten
from nni_emodarts.config.schema import ExperimentConfig
from nni_emodarts.config.sections import CAME_LATER, Section
from nni_emodarts.config.strategies import STRATEGIES, options_for
from nni_emodarts.config.streams import PretrainedStream, located_model
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.reading import UnreadableError
from nni_emodarts.runtime.yaml_reading import parse_value, parse_yaml, read_yaml_file

PRESETS = ("paper", "compact", "tiny", "pretrained")


def load_config(
    preset: str | None = None,
    file: str | Path | None = None,
    settings: Sequence[str] = (),
    options: JsonMapping | None = None,
) -> ExperimentConfig:
    """Assemble and validate a configuration; its paths are relative to the current folder, and become absolute.

    Args:
        preset: name of a preset (`paper`, `compact`, `tiny`, `pretrained`). Where absent, the one that `file` names,
            else `pretrained` where a pretrained encoder is heard, else `compact`.
        file: a YAML file of the same sections, laid over the preset. Of one that says all, as a run's config.yml does,
            the preset adds nothing, whatever it has come to hold since.
        settings: `section.key=value` texts, laid over both; values are read as YAML.
        options: `section.key` -> value, laid over all; values are taken as they are, None stands for not given.

    Raises:
        ConfigError: an unknown preset, an unreadable file, or faults in the data, all of them in one message.
    """
    written = {} if file is None else _without_blank_sections(read_sections(Path(file)), ExperimentConfig)
    given = {key: value for key, value in (options or {}).items() if value is not None}
    layers = [written, *map(_parse_setting, settings), *(_nest(key.split("."), value) for key, value in given.items())]
    named = written.get("preset") if preset is None else preset
    if _says_all(written, ExperimentConfig):
        if preset is not None:
            read_preset(preset)  # one that does not exist is refused, though it would add nothing
        below: JsonObject = {}
    else:
        named = _default_preset(layers) if named is None else named
        below = _fit_strategy(read_preset(named), reduce(_merge, layers, {}))
    data = reduce(_merge, layers, below)
    return located(validate({**data, "preset": data["preset"] if named is None else named}))


def _default_preset(layers: Sequence[JsonMapping]) -> str:
    """The preset where none is named: of a pretrained encoder its own."""
    streams = [layer["features"].get("streams") for layer in layers if isinstance(layer.get("features"), Mapping)]
    given = next((each for each in reversed(streams) if isinstance(each, list | tuple)), ())
    hears = any(isinstance(stream, Mapping) and stream.get("kind") == "pretrained" for stream in given)
    return "pretrained" if hears else "compact"


def located(config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with absolute paths, so that a run can be gone on with, and its corpus found, from anywhere.

    A link stays one, since recordings are named relative to it.
    """
    changed: JsonObject = {"data": config.data.located()}
    if config.features.pretrained:
        streams = tuple(
            stream.model_copy(update={"model": located_model(stream.model)})
            if isinstance(stream, PretrainedStream)
            else stream
            for stream in config.features.streams
        )
        changed["features"] = config.features.model_copy(update={"streams": streams})
    return config.model_copy(update=changed)


def lay_over(config: ExperimentConfig, settings: Sequence[str]) -> ExperimentConfig:
    """A configuration with `section.key=value` texts laid over it.

    Raises:
        ConfigError: as `load_config` does.
    """
    data: JsonObject = config.model_dump(mode="json")
    for setting in settings:
        data = _merge(data, _parse_setting(setting))
    return located(validate(data))


def _fit_strategy(preset: JsonObject, own: JsonMapping) -> JsonObject:
    """The preset without those options that the strategy named on top of it does not take."""
    searched = own.get("search")
    strategy = searched.get("strategy") if isinstance(searched, Mapping) else None
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        return preset
    options = options_for(strategy, preset["search"]["options"])
    return {**preset, "search": {**preset["search"], "options": options}}


def validate(data: JsonMapping) -> ExperimentConfig:
    """Typed configuration of plain data; every fault in one `ConfigError`."""
    try:
        return ExperimentConfig.model_validate(data)
    except ValidationError as error:
        message = enumerate_faults(
            "the configuration", error.errors(), lambda fault: describe_fault(fault, ExperimentConfig)
        )
        raise ConfigError(message) from None


def read_preset(name: str) -> JsonObject:
    """The sections of a preset as plain data."""
    if name not in PRESETS:
        raise ConfigError(f"preset {shorten(name)} is unknown{nearest(str(name), PRESETS)}")
    text = (resources.files("nni_emodarts.search_spaces") / f"{name}.yml").read_text(encoding="utf-8")
    return dict(parse_yaml(text))


def load_preset(name: str) -> JsonObject:
    """Arguments of `EmoDartsSpace` that a preset stands for, all but `num_classes`.

    Of a pretrained stream, `input_shape` is missing too: how many features it has, its model says.
    """
    config = load_config(name)
    shape = {} if config.features.pretrained else {"input_shape": config.features.input_shape}
    return {**config.space.identity(), **shape}


def read_sections(path: Path) -> JsonObject:
    """The sections of a YAML file as plain data, not validated yet.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    data = read_yaml_file(path, f"configuration {path}", "name an existing YAML file", ConfigError)
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(
            f"configuration {path} must hold sections ({', '.join(ExperimentConfig.model_fields)}), "
            f"not {_what_else(data)}"
        )
    return data


def _what_else(data: object) -> str:
    if not isinstance(data, dict):
        return f"a {type(data).__name__}"
    other = next(key for key in data if not isinstance(key, str))
    return f"the key {shorten(other)}, as YAML reads it"


def _section_of(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _says_all(data: object, section: type[Section]) -> bool:
    """Whether data says all that there is to say of a section, but for options that came later."""
    return isinstance(data, Mapping) and all(
        CAME_LATER in field.metadata
        or (name in data and ((inner := _section_of(field)) is None or _says_all(data[name], inner)))
        for name, field in section.model_fields.items()
    )


def _without_blank_sections(data: JsonObject, section: type[Section]) -> JsonObject:
    """The data of a file without sections under which nothing stands, such as comments alone: they say nothing."""
    kept = dict(data)
    for name, field in section.model_fields.items():
        inner = _section_of(field)
        if inner is not None and isinstance(kept.get(name, 0), dict | None):
            kept[name] = _without_blank_sections(kept[name] or {}, inner)
            if not kept[name]:
                del kept[name]
    return kept


def as_setting(key: str, value: str) -> str:
    """A text as `--set` takes it, in quotation marks where YAML would make something else of it."""
    with suppress(UnreadableError):
        if parse_value(value) == value:
            return f"{key}={value}"
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _parse_setting(setting: str) -> JsonObject:
    key, sign, text = setting.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise ConfigError(f"setting {shorten(setting)} must read section.key=value, for example search.epochs=10")
    try:
        return _nest(parts, parse_value(text))
    except UnreadableError as error:
        raise ConfigError(f"setting {shorten(setting)}: the value {error}; put it in quotes") from None


def _nest(parts: Sequence[str], value: object) -> JsonObject:
    *outer, last = parts
    nested: JsonObject = {last: value}
    for part in reversed(outer):
        nested = {part: nested}
    return nested


def _merge(base: JsonMapping, overlay: JsonMapping) -> JsonObject:
    merged = dict(base)
    for key, value in overlay.items():
        below = merged.get(key)
        if value and isinstance(below, Mapping) and isinstance(value, Mapping):  # {} empties what is below it
            value = _merge(below, value)
        merged[key] = value
    return merged
