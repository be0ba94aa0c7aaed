"""Settings that check themselves: a value that makes no sense is refused where it is given, in one sentence."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar, cast, get_args, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from typing_extensions import dataclass_transform

from ..errors import DsirError

Positive = Annotated[float, Field(gt=0)]
"""A finite number above zero: a length, a weight that must not vanish."""

NotNegative = Annotated[float, Field(ge=0)]
"""A finite number of zero or more."""

Share = Annotated[float, Field(ge=0, lt=1)]
"""From 0 to below 1."""

Count = Annotated[int, Field(ge=1)]
"""A whole number of one or more."""

Whole = Annotated[int, Field(ge=0)]
"""A whole number of zero or more; zero mostly says "as you like"."""

Several = Field(min_length=1)
"""Of a tuple: at least one value."""

Settings = TypeVar("Settings")


@dataclass_transform(frozen_default=True)
def checked(cls: type[Settings]) -> type[Settings]:
    """A frozen dataclass whose values must be of their type and within their bounds, through every door.

    Numbers are not made of text, truth or fractions (``seed=1.9`` is refused, not cut); NaN and infinity are refused.

    Raises:
        DsirError: from the class itself when it is made with something else; the sentence names the setting.
    """
    made = dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))(cls)
    validated = made.__init__

    @functools.wraps(validated)
    def init(self: Any, *values: Any, **named: Any) -> None:
        try:
            validated(self, *values, **named)
        except ValidationError as error:
            raise DsirError(_sentence(error, made)) from None

    made.__init__ = init  # type: ignore[method-assign]
    return cast(type[Settings], made)


def same_length(settings: Any, *names: str) -> None:
    """Refuse tuples that belong together value by value and are not equally long.

    Raises:
        DsirError: they are not.
    """
    lengths = {name: len(getattr(settings, name)) for name in names}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} has {count}" for name, count in lengths.items())
        raise DsirError(f"These settings need one value for each round, equally many: {told}.")


def read_settings(cls: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Settings from what JSON holds: lists for tuples, objects for settings within settings.

    Raises:
        DsirError: a name that no setting has, or a value that the setting cannot have.
    """
    try:
        return TypeAdapter(cls).validate_json(json.dumps(dict(values)))
    except ValidationError as error:
        raise DsirError(_sentence(error, cls)) from None


WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a word",
    "tuple_type": "a list",
    "too_short": "a list of at least one value",
    "dataclass_type": "an object with settings of its own",
    "dataclass_exact_type": "an object with settings of its own",
}
"""Kinds of mistake, in plain words; the others pydantic says well itself."""


def _sentence(error: ValidationError, cls: type) -> str:
    """The first thing that is wrong, by the setting's full name."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("unexpected_keyword_argument", "unexpected_positional_argument"):
        return f"There is no setting called {name!r}; known are: {', '.join(sorted(_known(cls, first['loc'][:-1])))}."
    wanted = WANTED.get(first["type"], first["msg"].removeprefix("Input should be "))
    return f"The setting {name!r} cannot be {_shown(first['input'])}: it must be {wanted}."


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known(cls: Any, path: tuple[str | int, ...]) -> list[str]:
    """Names of the settings at a place, which is told by field names and places in tuples."""
    for part in path:
        if isinstance(part, str) and is_dataclass(cls):
            cls = _kind_of(cast(type, cls), part)
    return [field.name for field in fields(cls)] if is_dataclass(cls) else []


def _kind_of(cls: type, name: str) -> Any:
    """The settings class within a field, also where it stands in a tuple."""
    kind = get_type_hints(cls)[name]
    return next((arg for arg in get_args(kind) if is_dataclass(arg)), kind)
