"""The preset that fits two series, and the reason in a sentence."""

from __future__ import annotations

from pydicom.dataset import Dataset

from ..dicom.dataset import text

HEAD = ("HEAD", "BRAIN", "SKULL", "ORBIT")
"""Words of BodyPartExamined. A head with its neck bends, so it is none of these."""

CONE = ("CBCT", "CONE", "OBI", "XVI", "ON-BOARD", "ONBOARD", "HALCYON")
"""How cone-beam scans call themselves."""


def preset_for(fixed: Dataset, moving: Dataset, *, two_persons: bool = False) -> tuple[str, str]:
    """Name of the preset and why.

    Args:
        fixed, moving: headers of the two series.
    """
    if two_persons:
        return "two_persons", "the scans are of two persons"
    pair = {text(header, "Modality").upper() for header in (fixed, moving)}
    said = " and ".join(sorted(pair)) if len(pair) > 1 else f"two {next(iter(pair))}"
    if pair == {"PT", "CT"}:
        return "pet_ct", "PET and CT of one person"
    if pair == {"CT"}:
        if any(_is_cone_beam(header) for header in (fixed, moving)):
            return "ct_cbct", "one of the CTs calls itself a cone-beam scan"
        if _same(fixed, moving, "StudyInstanceUID") and _same(fixed, moving, "FrameOfReferenceUID"):
            return "lung_4dct", "two CTs of one examination in one frame of reference: phases"
        return "ct_ct", "two CTs of one person at two times"
    head = all(_is_head(header) for header in (fixed, moving))
    if pair == {"CT", "MR"}:
        return ("head_ct_mr", "CT and MR of a head") if head else ("body_ct_mr", "CT and MR, not of a head")
    if pair == {"MR"} and head:
        return "head_mr_mr", "two MR scans of a head"
    return "default", f"{said}: no preset is made for it"


def _is_cone_beam(header: Dataset) -> bool:
    names = ("SeriesDescription", "ManufacturerModelName", "StationName", "ProtocolName", "StudyDescription")
    words = " ".join(text(header, name) for name in names).upper()
    return any(word in words for word in CONE)


def _is_head(header: Dataset) -> bool:
    part = text(header, "BodyPartExamined").upper().replace(" ", "").replace("_", "")
    return part in HEAD


def _same(fixed: Dataset, moving: Dataset, name: str) -> bool:
    return bool(text(fixed, name)) and text(fixed, name) == text(moving, name)
