"""What the sections of a configuration are made of."""

from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from nni_emodarts.runtime.plain_data import JsonObject

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(max_length=100)]
PathText = Annotated[str, Field(max_length=4096)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


def _pairs(given: object) -> object:
    return tuple(given.items()) if isinstance(given, Mapping) else given


Pairs = Annotated[
    tuple[tuple[Name, Name], ...], BeforeValidator(_pairs), PlainSerializer(dict, return_type=dict[str, str])
]
"""A mapping in files; pairs in Python, so that a section can be hashed."""

CAME_LATER = "came later"
"""Marks an option, off by default, that came when figures had been computed: `Annotated[bool, CAME_LATER]`."""

NO_NUMBER = "number_expected"
"""Type of the fault of a truth value where a number is asked for."""


def _kinds(annotation: object) -> set[object]:
    """The types that an annotation is made of."""
    return {annotation}.union(*(_kinds(part) for part in get_args(annotation)))


def _takes_numbers(annotation: object) -> bool:
    """Whether a field is of numbers alone, or of a list of them."""
    kinds = _kinds(annotation)
    return bool(kinds & {int, float}) and not kinds & {bool, str}


class Section(BaseModel):
    """Base of all sections: unknown keys are faults, values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth(cls, value: object, info: ValidationInfo) -> object:
        """True is no number, though Python takes it for 1; false may stand for 0, as what is switched off."""
        given = value if isinstance(value, list | tuple) else [value]
        if any(each is True for each in given) and _takes_numbers(cls.model_fields[str(info.field_name)].annotation):
            raise PydanticCustomError(NO_NUMBER, "Input should be a number")
        return value

    def meaning(self) -> JsonObject:
        """The section as plain data, an option that came later only where it is on.

        So the same settings mean the same before and after such an option came.
        """
        data = self.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if CAME_LATER in field.metadata and value == field.default:
                del data[name]
            elif isinstance(value, Section):
                data[name] = value.meaning()
            elif isinstance(value, tuple) and all(isinstance(each, Section) for each in value) and value:
                data[name] = [each.meaning() for each in value]
        return data
