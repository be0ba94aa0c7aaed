"""The ``dsir`` command: one file for each word after it."""

from .main import main

__all__ = ["main"]
