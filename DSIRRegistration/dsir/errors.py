"""Errors a person can act on: one clear sentence, with the numbers that led to it."""


class DsirError(Exception):
    """Something the user can mend: a bad file, an impossible setting, images that share no space.

    Attributes:
        code: the kind of fault, for programs (the last line of ``--json-progress``).
    """

    code = "refused"


class Cancelled(DsirError):
    """The user stopped the run; nothing was written."""

    code = "stopped"


class OutputError(DsirError):
    """What was computed cannot be written where it should go."""

    code = "not_written"


class TransformError(DsirError):
    """A transform that cannot be read, written, inverted or represented."""

    code = "bad_transform"


class NotAnImage(DsirError):
    """A file that no reader of images knows, whatever its name says."""

    code = "not_an_image"
