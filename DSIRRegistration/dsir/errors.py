"""Errors a person can act on: one clear sentence, with the numbers that led to it."""


class DsirError(Exception):
    """Something the user can mend: a bad file, an impossible setting, images that share no space."""


class Cancelled(DsirError):
    """The user stopped the run; nothing was written."""


class OutputError(DsirError):
    """What was computed cannot be written where it should go."""


class TransformError(DsirError):
    """A transform that cannot be read, written, inverted or represented."""
