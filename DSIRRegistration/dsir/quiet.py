"""What ITK and the libraries below it would print, kept off the screen."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import SimpleITK as sitk


def silent_end() -> None:
    """No words of HDF5 after ours: once a file was damaged, it complains again when the process ends."""
    atexit.register(_close_error_stream)


def _close_error_stream() -> None:
    with open(os.devnull, "wb") as nowhere, suppress(OSError):
        os.dup2(nowhere.fileno(), 2)


@contextmanager
def quiet() -> Iterator[None]:
    """ITK's warnings off: what matters of them is checked and said in our own words."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


@contextmanager
def muted() -> Iterator[None]:
    """The same, and the process's error stream closed meanwhile, in every thread: for as short as can be.

    MetaIO and HDF5 write there past ITK (forty lines for a cut .h5), and there is no other way to stop them.
    """
    with quiet():
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, ValueError, AttributeError):  # no error stream, as in a windowed application
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
