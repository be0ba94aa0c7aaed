"""Keep the interpreter alive under MRML on Python 3.10 and 3.11.

Some compiled wrapper under MRML gives back a reference to None that it never took. Python 3.12 has an immortal None;
before it, after enough calls, the interpreter aborts ("deallocating None"). A stock of references outlasts any session.
"""

from __future__ import annotations

import ctypes
import sys


def keep_none_alive() -> None:
    """Add to None's count what no session gives back."""
    if sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 28
