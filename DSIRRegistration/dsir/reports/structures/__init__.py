"""The report that a planner prints: one page of HTML with everything in it."""

from .page import write_page

__all__ = ["write_page"]
