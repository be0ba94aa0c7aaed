"""A registration at one glance: three planes, six views, one picture."""

from .figure import draw, write

__all__ = ["draw", "write"]
