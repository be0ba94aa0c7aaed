"""What each setting means, from the docstrings of their classes, and changes by the settings' full names."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from ..errors import DsirError
from .settings import RegistrationSettings


@dataclass(frozen=True)
class Explained:
    """One setting.

    Attributes:
        key: as :func:`changed` takes it: ``"descent.levels.0.stiffness.bending"``.
        value: as JSON holds it.
        meaning: a sentence or two.
    """

    key: str
    value: Any
    meaning: str


def explained(settings: Any, above: str = "") -> list[Explained]:
    """Every setting with its value and meaning, in the order they stand in."""
    told, found = meanings(type(settings)), []
    for field in fields(settings):
        value, key = getattr(settings, field.name), f"{above}{field.name}"
        if is_dataclass(value):
            found += explained(value, f"{key}.")
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for number, one in enumerate(value):
                found += explained(one, f"{key}.{number}.")
        else:
            shown = list(value) if isinstance(value, tuple) else value
            found.append(Explained(key, shown, told.get(field.name, "")))
    return found


def meanings(cls: type) -> dict[str, str]:
    """Attribute to what the section ``Attributes`` of the class's docstring says of it, without its markup."""
    _, _, section = (cls.__doc__ or "").partition("Attributes:")
    found: dict[str, str] = {}
    for entry in re.split(r"\n {8}(?=\w)", section.split("\n\n")[0]):
        names, _, words = entry.strip().partition(": ")
        plain = " ".join(words.split()).replace("``", "")
        plain = re.sub(r":\w+:`[.~]*([\w.]+)`", r"\1", plain)
        found |= {name.strip(): plain for name in names.split(",")}
    return found


def changed(settings: RegistrationSettings, assignments: Iterable[str]) -> RegistrationSettings:
    """Settings with changes such as ``"spacing=3"`` or ``"descent.levels.0.stiffness.bending=20"`` in them.

    A value is read as JSON holds it (``3``, ``true``, ``null``, ``[12, 6]``), and as a word where it is none.

    Raises:
        DsirError: no equals sign, a name that no setting has, or a value that it cannot have.
    """
    values = copy.deepcopy(json.loads(json.dumps(settings.to_json())))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise DsirError(f"{assignment!r} is not a setting and its value, such as descent.levels.0.iterations=8.")
        inner, path = values, key.strip().split(".")
        for part in path[:-1]:
            inner = inner[_place(inner, part, key)]
        inner[_place(inner, path[-1], key)] = _value(text.strip())
    return RegistrationSettings.from_json(values)


def _place(inner: Any, part: str, key: str) -> str | int:
    """Where in an object or a list a part of a key leads."""
    if isinstance(inner, dict) and part in inner:
        return part
    if isinstance(inner, list) and part.isdigit() and int(part) < len(inner):
        return int(part)
    if isinstance(inner, dict):
        known = f"known are: {', '.join(inner)}"
    else:
        known = f"it goes from 0 to {len(inner) - 1}" if isinstance(inner, list) else "nothing stands below it"
    raise DsirError(f"There is no setting called {key!r}: {part!r} is unknown ({known}). dsir settings lists them all.")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
