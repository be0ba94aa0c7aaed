"""The one place where pages are made from templates; whatever goes in is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import __version__
from ..files.atomic import complete_file


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


def save_page(path: str | Path, page: str) -> None:
    """Write a page, whole under its name or not at all."""
    with complete_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def render(template: str, **values: Any) -> str:
    """HTML of a template in ``dsir/reports/templates`` with these values."""
    return _environment().get_template(template).render(**values)
