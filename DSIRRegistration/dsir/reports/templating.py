"""The one place where pages are made from templates; whatever goes in is escaped."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__

MEASURE = re.compile(r"(?<=\d) (?=(?:mm|ml|Gy|HU|degrees)\b|%)")


def _unbroken(value: Any) -> Any:
    """A value for a page: no line ends between a number and its unit."""
    return (
        MEASURE.sub("\N{NO-BREAK SPACE}", value) if isinstance(value, str) and not isinstance(value, Markup) else value
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dsir.reports", "templates"),
        autoescape=True,
        finalize=_unbroken,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["version"] = __version__
    return environment


def render(template: str, **values: Any) -> str:
    """HTML of a template in ``dsir/reports/templates`` with these values."""
    return _environment().get_template(template).render(**values)
