"""What no patient's millimetres are: not a number, infinite, or a kilometre long."""

from __future__ import annotations

import numpy as np

FARTHEST = 1e6
"""mm. Scanners' own origins lie within metres; what is farther came from a wrong unit or a damaged file."""


def plausible(values: np.ndarray) -> bool:
    """Whether all are finite and none is longer than :data:`FARTHEST`.

    >>> plausible(np.array([-300.0, 1800.0])), plausible(np.array([1e30])), plausible(np.array([np.nan]))
    (True, False, False)
    """
    return bool((np.abs(values) <= FARTHEST).all())
