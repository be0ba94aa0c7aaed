"""Spoiled files for every reader: each has to give a result or one sentence. ``python -m Testing.fuzz --help``."""
