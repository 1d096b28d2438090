"""What the sections of a configuration are made of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]

CAME_LATER = "came later"
"""Marks an option, off by default, that came when figures had been computed: `Annotated[bool, CAME_LATER]`."""


class Section(BaseModel):
    """Base of all sections: unknown keys are faults, values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def meaning(self) -> dict[str, Any]:
        """The section as plain data, an option that came later only where it is on.

        So the same settings mean the same before and after such an option came.
        """
        data = self.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Section):
                data[name] = value.meaning()
            elif CAME_LATER in field.metadata and value == field.default:
                del data[name]
        return data
