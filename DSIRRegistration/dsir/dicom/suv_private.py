"""What a PET's header holds in elements of its maker's own, as far as an SUV needs it.

After the Quantitative Imaging Biomarkers Alliance, SUV vendor-neutral pseudo-code, 2018-06-26.
"""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Any

from pydicom.dataset import Dataset
from pydicom.valuerep import DT

GE = (0x0009, "GEMS_PETD_01")
PHILIPS = (0x7053, "Philips PET Private Group")


def scan_start(header: Dataset) -> datetime | None:
    """When the scan began, as GE says it (0009,xx0D)."""
    said = _private(header, GE, 0x0D)
    try:
        moment = DT(str(said)) if said else None
    except (ValueError, TypeError):
        return None
    return datetime.combine(moment.date(), moment.time()) if moment else None


def suv_of_counts(header: Dataset) -> float | None:
    """What Philips' counts are multiplied by to be SUV by body weight (7053,xx00)."""
    return _above_zero(_private(header, PHILIPS, 0x00))


def activity_of_counts(header: Dataset) -> float | None:
    """What Philips' counts are multiplied by to be Bq/mL (7053,xx09)."""
    return _above_zero(_private(header, PHILIPS, 0x09))


def _private(header: Dataset, block: tuple[int, str], element: int) -> Any:
    """A value of a private block; None where there is none, or it is broken."""
    try:
        value = header.private_block(*block)[element].value
    except Exception:  # pydicom raises whatever it stumbles over
        return None
    return value.decode("ascii", "ignore").strip("\0 ") if isinstance(value, bytes) else value


def _above_zero(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) and number > 0 else None
