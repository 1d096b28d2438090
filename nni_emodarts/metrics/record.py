"""Figures that are kept as JSON: typed where they are used, the same keys and values where they lie."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from nni_emodarts.runtime.plain_data import JsonObject


class Record(BaseModel):
    """Base of figures whose fields are the keys of a JSON object, in its order.

    What is not known of them is left out of the object, as in files that were written before there was such a field;
    keys that are no field are not read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def from_data(cls, data: object) -> Self:
        """The figures that an object of a JSON file holds.

        Raises:
            ValueError: it is no such object; the message names the key.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None

    def to_data(self) -> JsonObject:
        """As plain data for JSON, without the fields that were not given."""
        return self.model_dump(mode="json", exclude_unset=True)
