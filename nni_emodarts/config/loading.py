"""A configuration is a preset, overlaid by a YAML file, overlaid by `a.b=c` settings, and validated once."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from nni_emodarts.config.faults import describe_fault, nearest
from nni_emodarts.config.schema import ExperimentConfig
from nni_emodarts.config.strategies import STRATEGIES, options_for
from nni_emodarts.errors import ConfigError

PRESETS = ("paper", "compact", "tiny")
SYNTHETIC = "synthetic"
"""The manifest that stands for the embedded corpus."""


def load_config(
    preset: str | None = None,
    file: str | Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> ExperimentConfig:
    """Assemble and validate a configuration; its paths are relative to the current folder, and become absolute.

    Args:
        preset: name of a preset (`paper`, `compact`, `tiny`). Where absent, the one that `file` names, else `compact`.
        file: a YAML file of the same sections, laid over the preset.
        settings: `section.key=value` texts, laid over both; values are read as YAML.
        options: `section.key` -> value, laid over all; values are taken as they are, None stands for not given.

    Raises:
        ConfigError: an unknown preset, an unreadable file, or faults in the data, all of them in one message.
    """
    overlay = _read_yaml(Path(file)) if file is not None else {}
    name = preset or overlay.get("preset") or "compact"
    own = {**overlay, "preset": name}
    for setting in settings:
        own = _merge(own, _parse_setting(setting))
    for key, value in (options or {}).items():
        if value is not None:
            own = _merge(own, _nest(key.split("."), value))
    return located(validate(_merge(_fit_strategy(read_preset(name), own), own)))


def located(config: ExperimentConfig) -> ExperimentConfig:
    """The configuration with absolute paths, so that a run can be gone on with, and its corpus found, from anywhere.

    A link stays one, since recordings are named relative to it.
    """
    data = config.data
    manifest = data.manifest if data.manifest in (None, SYNTHETIC) else str(Path(str(data.manifest)).absolute())
    cache = data.cache and str(Path(data.cache).absolute())
    return config.model_copy(update={"data": data.model_copy(update={"manifest": manifest, "cache": cache})})


def lay_over(config: ExperimentConfig, settings: Sequence[str]) -> ExperimentConfig:
    """A configuration with `section.key=value` texts laid over it.

    Raises:
        ConfigError: as `load_config` does.
    """
    data: dict[str, Any] = config.model_dump(mode="json")
    for setting in settings:
        data = _merge(data, _parse_setting(setting))
    return located(validate(data))


def _fit_strategy(preset: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The preset without those options that the strategy named on top of it does not take."""
    searched = own.get("search")
    strategy = searched.get("strategy") if isinstance(searched, Mapping) else None
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        return preset
    options = options_for(strategy, preset["search"]["options"])
    return {**preset, "search": {**preset["search"], "options": options}}


def validate(data: Mapping[str, Any]) -> ExperimentConfig:
    """Typed configuration of plain data; every fault in one `ConfigError`."""
    try:
        return ExperimentConfig.model_validate(data)
    except ValidationError as error:
        faults = [describe_fault(fault, ExperimentConfig) for fault in error.errors()]
        head = "the configuration has a fault" if len(faults) == 1 else f"the configuration has {len(faults)} faults"
        raise ConfigError("\n".join([f"{head}:", *(f"  {fault}" for fault in faults)])) from None


def read_preset(name: str) -> dict[str, Any]:
    """The sections of a preset as plain data."""
    if name not in PRESETS:
        raise ConfigError(f"preset {name!r} is unknown{nearest(str(name), PRESETS)}")
    text = (resources.files("nni_emodarts.search_spaces") / f"{name}.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def load_preset(name: str) -> dict[str, Any]:
    """Arguments of `EmoDartsSpace` that a preset stands for, all but `num_classes`."""
    config = load_config(name)
    return {**config.space.identity(), "input_shape": config.features.input_shape}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"configuration {path}: {error.strerror or error}; name an existing YAML file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2001-99-99, or no UTF-8
        raise ConfigError(f"configuration {path} is no YAML: {' '.join(str(error).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(
            f"configuration {path} must hold sections ({', '.join(ExperimentConfig.model_fields)}), "
            f"not a {type(data).__name__}"
        )
    return data


def _parse_setting(setting: str) -> dict[str, Any]:
    key, sign, text = setting.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise ConfigError(f"setting {setting!r} must read section.key=value, for example search.epochs=10")
    try:
        value: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"setting {setting!r}: the value is no YAML; put it in quotes") from None
    return _nest(parts, value)


def _nest(parts: Sequence[str], value: Any) -> dict[str, Any]:
    for part in reversed(parts):
        value = {part: value}
    return dict(value)


def _merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
