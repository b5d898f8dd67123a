"""What all models of the manifest are made of: the base of a mapping, and texts, names and quantities.

This and the modules of the models (`schema.py`, `nginxschema.py`) alone import pydantic; nothing in the pod does.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

# The greatest int32.
INT32 = 2**31 - 1


class Fields(BaseModel):
    """A mapping of the manifest. A field without a value (`pin:`) counts as absent, as it does for the API server."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {each.alias for each in cls.model_fields.values()}
        return {key: value for key, value in data.items() if value is not None or key not in known}


def _int_or_text(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("quantity_type", "expected a quantity")
    return value


# The rules check that it is a quantity; a structural schema can state only the type.
Quantity = Annotated[Any, AfterValidator(_int_or_text), WithJsonSchema({"x-kubernetes-int-or-string": True})]

Name = Annotated[str, Field(min_length=1, max_length=253)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]
