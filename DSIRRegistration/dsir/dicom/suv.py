"""Standardised uptake values by body weight, from what a PET's header says; or the reason why there are none.

SUV = activity concentration [Bq/mL] x body weight [g] / dose [Bq] that is left at the time to which the scan's decay is
corrected (DICOM PS3.3 C.8.9.1; Kinahan and Fletcher, Semin Ultrasound CT MR 31, 2010; where makers say more, QIBA's
vendor-neutral pseudo-code of 2018-06-26).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import expm1, log

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from ..errors import DsirError
from .dataset import first, number, text
from .suv_private import activity_of_counts, scan_start, suv_of_counts

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
    if units not in ("BQML", "CNTS"):
        raise DsirError(f"its values are in {units or 'units that it does not say'}, not in Bq/mL")
    corrected = text(header, "CorrectedImage").upper()
    if "ATTN" not in corrected or "DECY" not in corrected:
        raise DsirError("it does not say that attenuation and decay were corrected")
    to = text(header, "DecayCorrection").upper()
    if to not in ("START", "ADMIN"):
        raise DsirError(f"its decay is corrected to {to or 'a time that it does not say'}, not to START or ADMIN")
    activity = 1.0
    if units == "CNTS":
        if (said := suv_of_counts(header)) is not None:
            return said
        if (said := activity_of_counts(header)) is None:
            raise DsirError("its values are in CNTS, without the private factor that makes them Bq/mL")
        activity = said
    tracer = first(header, "RadiopharmaceuticalInformationSequence")
    if tracer is None:
        raise DsirError("it says nothing of the tracer that was given")
    weight = _above_zero(header, "PatientWeight", "the patient's weight")
    dose = _above_zero(tracer, "RadionuclideTotalDose", "the dose that was given")
    left = 1.0 if to == "ADMIN" else _left_at_start(header, tracer)
    return 1000.0 * weight * activity / (dose * left)


def _left_at_start(header: Dataset, tracer: Dataset) -> float:
    """Share of the dose that is left when the scan starts."""
    half_life = _above_zero(tracer, "RadionuclideHalfLife", "the half life")
    start = _start(header, half_life)
    waited = start - _injected(tracer, start)
    if not timedelta(0) <= waited <= LONGEST:
        raise DsirError("injection and scan do not lie within a day of each other")
    return 0.5 ** (waited.total_seconds() / half_life)


def _start(header: Dataset, half_life: float) -> datetime:
    """When the scan started: the time of the series, unless the series was made anew after the acquisition.

    Then GE's own element, else worked back from the frame: its Frame Reference Time counts from the start to where its
    count rate is the mean one.
    """
    start = _moment(header, "SeriesDate", "SeriesTime", "the time of the series")
    taken = _moment(header, "AcquisitionDate", "AcquisitionTime", "the time of the acquisition")
    if start <= taken:
        return start
    if (said := scan_start(header)) is not None and said <= taken:
        return said
    reference, duration = number(header, "FrameReferenceTime"), number(header, "ActualFrameDuration")
    if reference is None or duration is None or reference <= 0 or duration <= 0:
        raise DsirError(
            "its series time is later than its acquisition, so it was made anew, and nothing else tells the start"
        )
    decay = log(2) / half_life
    during = decay * duration / 1000
    mean = log(during / -expm1(-during)) / decay
    return taken - timedelta(seconds=reference / 1000 - mean)


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
