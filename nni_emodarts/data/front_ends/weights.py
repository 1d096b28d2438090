"""Tensors of a model's files by name, read when asked for. Files hold numbers alone; nothing in them is executed."""

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nni_emodarts.data.front_ends.sources import Source
from nni_emodarts.errors import FrontEndError

_OLD_NAMES = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
"""How tensors of a weight normalisation are called now, and were."""
_SHOWN = 3
_Module = TypeVar("_Module", bound=nn.Module)


def fill(module: nn.Module, source: Source, *, unneeded: Iterable[str] = ()) -> None:
    """Give a module on the meta device its weights, in float32.

    Args:
        module: its parameters are called as in the files, behind some prefix of all of them.
        source: the files.
        unneeded: names that may lack.

    Raises:
        FrontEndError: a file is damaged, holds more than numbers, or lacks tensors.
    """
    wanted = module.state_dict()
    found = _read(source, wanted)
    lacking = [name for name in wanted if name not in found and name not in set(unneeded)]
    others = [name for name, tensor in found.items() if tensor.shape != wanted[name].shape]
    if lacking or others:
        shown = ", ".join([*lacking, *others][:_SHOWN])
        raise FrontEndError(
            f"front end {source.model}: its weights ({', '.join(map(str, source.files))}) lack {len(lacking)} tensors "
            f"of its encoder and have {len(others)} of another size ({shown}); fetch them again, with its config.json"
        )
    module.load_state_dict(found, strict=False, assign=True)


def settle(module: _Module) -> _Module:
    """The module as it is heard with: no gradients, and each normalised weight worked out once."""
    for part in module.modules():
        if parametrize.is_parametrized(part):
            for name in list(getattr(part, "parametrizations", ())):
                parametrize.remove_parametrizations(part, name)
    return module.eval().requires_grad_(False)


def _read(source: Source, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The wanted tensors of all files, under their names in the module."""
    found: dict[str, Tensor] = {}
    for file in source.files:
        try:
            if file.suffix == ".safetensors":
                found |= _from_safetensors(file, wanted)
            else:
                found |= _pick(read_pickled(file), wanted)
        except pickle.UnpicklingError:
            raise FrontEndError(
                f"front end {source.model}: {file} holds more than numbers, which could be run when it is read; take "
                f"a model whose weights are model.safetensors"
            ) from None
        except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
            raise FrontEndError(
                f"front end {source.model}: {file} is damaged ({str(error).strip()[:200]}); fetch it again"
            ) from None
    return found


def read_pickled(file: Path) -> dict[str, Tensor]:
    """Tensors of a file of torch's, whose own reader refuses all but numbers."""
    data = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(data, dict):
        raise KeyError("tensors by name")
    return {str(name): tensor for name, tensor in data.items() if isinstance(tensor, Tensor)}


def _from_safetensors(file: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    with safe_open(file, "pt") as opened:
        places = _places(list(opened.keys()), wanted)
        return {name: opened.get_tensor(place).float() for name, place in places.items()}


def _pick(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensors[place].float() for name, place in _places(list(tensors), wanted).items()}


def _places(names: list[str], wanted: Mapping[str, Tensor]) -> dict[str, str]:
    """Name in the module -> name in the file, whose names all begin with the name of what holds the encoder."""
    known = set(names)
    prefixes = sorted({_prefix(name, wanted) for name in names} - {None}, key=lambda each: len(str(each)))
    for prefix in prefixes:
        places = {
            name: f"{prefix}{spelt}" for name in wanted for spelt in _spellings(name) if f"{prefix}{spelt}" in known
        }
        if places:
            return places
    return {}


def _prefix(name: str, wanted: Mapping[str, Tensor]) -> str | None:
    """What stands before the name of a wanted tensor."""
    parts = name.split(".")
    for place in range(len(parts)):
        if ".".join(parts[place:]) in wanted:
            return "".join(f"{part}." for part in parts[:place])
    return None


def _spellings(name: str) -> list[str]:
    return [name, *(name.replace(new, old) for new, old in _OLD_NAMES.items() if new in name)]
