"""Standardised uptake values by body weight, from what a PET's header says; or the reason why there are none.

SUV = activity concentration [Bq/mL] x body weight [g] / dose [Bq] that is left at the time to which the scan's decay is
corrected (DICOM PS3.3 C.8.9.1; Kinahan and Fletcher, Semin Ultrasound CT MR 31, 2010).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from ..errors import DsirError
from .dataset import first, number, text

LONGEST = timedelta(hours=24)
"""Between injection and scan; more is a wrong date, for every nuclide in use with PET."""


def is_pet(header: Dataset) -> bool:
    """Whether a series is a PET."""
    return text(header, "Modality").upper() == "PT"


def suv_facts(header: Dataset) -> dict[str, str | float]:
    """For a report: ``suv_factor``, or ``no_suv`` with the reason; nothing of what is no PET."""
    if not is_pet(header):
        return {}
    try:
        return {"suv_factor": suv_factor(header)}
    except DsirError as error:
        return {"no_suv": str(error)}


def suv_factor(header: Dataset) -> float:
    """What a PET's values are multiplied by to be SUV (g/mL, by body weight).

    Raises:
        DsirError: the header does not say what is needed, or in a way that is not known; half a sentence says why.
    """
    units = text(header, "Units").upper()
    if units == "GML":
        kind = text(header, "SUVType").upper() or "BW"
        if kind != "BW":
            raise DsirError(f"its values are SUV by {kind}, not by body weight")
        return 1.0
    if units != "BQML":
        raise DsirError(f"its values are in {units or 'units that it does not say'}, not in Bq/mL")
    corrected = text(header, "CorrectedImage").upper()
    if "ATTN" not in corrected or "DECY" not in corrected:
        raise DsirError("it does not say that attenuation and decay were corrected")
    tracer = first(header, "RadiopharmaceuticalInformationSequence")
    if tracer is None:
        raise DsirError("it says nothing of the tracer that was given")
    weight = _above_zero(header, "PatientWeight", "the patient's weight")
    dose = _above_zero(tracer, "RadionuclideTotalDose", "the dose that was given")
    return 1000.0 * weight / (dose * _left(header, tracer))


def _left(header: Dataset, tracer: Dataset) -> float:
    """Share of the dose that is left at the time to which decay is corrected."""
    to = text(header, "DecayCorrection").upper()
    if to == "ADMIN":
        return 1.0
    if to != "START":
        raise DsirError(f"its decay is corrected to {to or 'a time that it does not say'}, not to START or ADMIN")
    half_life = _above_zero(tracer, "RadionuclideHalfLife", "the half life")
    start = _moment(header, "SeriesDate", "SeriesTime", "the time of the series")
    taken = _moment(header, "AcquisitionDate", "AcquisitionTime", "the time of the acquisition")
    if start > taken:
        raise DsirError("its series time is later than its acquisition, so it was made anew and the start is unknown")
    waited = start - _injected(tracer, start)
    if not timedelta(0) <= waited <= LONGEST:
        raise DsirError("injection and scan do not lie within a day of each other")
    return 0.5 ** (waited.total_seconds() / half_life)


def _injected(tracer: Dataset, start: datetime) -> datetime:
    """With its date where it has one; else on the day of the scan, or the evening before."""
    try:
        if whole := text(tracer, "RadiopharmaceuticalStartDateTime"):
            return datetime.combine(DT(whole).date(), DT(whole).time())  # a zone is the scanner's own: left out
        moment = datetime.combine(start.date(), TM(text(tracer, "RadiopharmaceuticalStartTime")))
    except (ValueError, TypeError, AttributeError):
        raise DsirError("it does not say when the tracer was given") from None
    return moment if moment <= start else moment - timedelta(days=1)


def _moment(header: Dataset, date: str, time: str, what: str) -> datetime:
    try:
        return datetime.combine(DA(text(header, date)), TM(text(header, time)))
    except (ValueError, TypeError):
        raise DsirError(f"it does not say {what}") from None


def _above_zero(item: Dataset, name: str, what: str) -> float:
    value = number(item, name)
    if value is None or not 0 < value < float("inf"):
        raise DsirError(f"it does not say {what}")
    return value
