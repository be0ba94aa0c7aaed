"""A registration at one glance: three planes, several ways of looking, one picture."""

from .figure import compose, draw, inline, views_of, write
from .panels import change, comparison, overview

__all__ = ["change", "comparison", "compose", "draw", "inline", "overview", "views_of", "write"]
