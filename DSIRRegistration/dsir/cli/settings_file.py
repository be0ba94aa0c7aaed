"""Settings from a JSON file, laid over a preset's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import DsirError


def read_settings_file(path: Path) -> dict[str, Any]:
    """The settings of a file, or those within a ``report.json``.

    Raises:
        DsirError: it cannot be read, is not one JSON object, or says a setting twice.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise DsirError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DsirError(f"The settings file {path} is not JSON: it is no text.") from None
    except (ValueError, RecursionError) as error:
        raise DsirError(f"The settings file {path} is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise DsirError(f"The settings file {path} must hold one JSON object.")
    settings = values.get("settings", values)  # a whole report.json is as good as its settings alone
    return settings if isinstance(settings, dict) else values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a name that stands twice, nobody knows which value is meant.

    Raises:
        ValueError: one does.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return found


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """One object laid over another, at every depth."""
    out = dict(below)
    for name, value in above.items():
        nested = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = merged(out[name], value) if nested else value
    return out
