"""The one place where pages are made from templates; whatever goes in is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import __version__


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dsir.reports", "templates"),
        autoescape=True,
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
