"""Structures as a DICOM segmentation object that belongs to the fixed series; encoded by highdicom."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydicom.uid import generate_uid

from .. import __version__
from ..dicom.dataset import read_header
from ..dicom.series import Series
from ..errors import DsirError
from ..files.atomic import complete_file
from ..shapes.structure import Structure
from .object_attributes import check_references, content_label, set_patient_and_study

ORGAN = ("123037004", "SCT", "Anatomical Structure")
TISSUE = ("85756007", "SCT", "Tissue")
"""What a structure is called whose file gives no terminology of its own."""


def write_segmentation_object(
    path: str | Path,
    structures: Sequence[Structure],
    masks: Sequence[torch.Tensor],
    series: Series,
    *,
    label: str,
    pseudonym: str | None = None,
) -> None:
    """Write one binary segment for each structure.

    Args:
        masks: (I, J, K) bool on the series' lattice, one for each structure.
        pseudonym: stands for patient name and ID; birth date and sex are then blank.

    Raises:
        DsirError: highdicom is not there, the series lacks what a segmentation must refer to, or nothing is inside.
    """
    try:
        import highdicom as hd
    except ImportError:
        raise DsirError("DICOM segmentations are written by highdicom; install it: pip install highdicom.") from None
    check_references(series, "A DICOM segmentation")
    order = sorted(series.slices)
    if series.stack.shifts.any():
        raise DsirError("A DICOM segmentation cannot be written onto a series with a tilted gantry.")
    kept = [n for n, mask in enumerate(masks) if bool(mask[:, :, order].any())]
    if not kept:
        raise DsirError("None of the structures lies on the slices that are there, so nothing was written.")
    pixels = np.stack([masks[n][:, :, order].numpy().transpose(2, 1, 0) for n in kept], -1).astype(np.uint8)
    headers = [read_header(series.slices[k].path) for k in order]
    source = [header for header in headers if header is not None]
    described = [_description(structures[n], number) for number, n in enumerate(kept, start=1)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = hd.seg.Segmentation(
                source_images=source,
                pixel_array=pixels,
                segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
                segment_descriptions=described,
                series_instance_uid=generate_uid(),
                series_number=1,
                sop_instance_uid=generate_uid(),
                instance_number=1,
                manufacturer="DSIR Registration",
                manufacturer_model_name="dsir propagate",
                software_versions=__version__,
                device_serial_number="0",
                content_label=content_label(label),
                content_description="Propagated by DSIR, not reviewed",
                series_description="Segments propagated by DSIR, not reviewed",
            )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DsirError(f"A DICOM segmentation cannot be tied to the fixed series: {error}") from None
    set_patient_and_study(made, series, pseudonym)  # highdicom takes the source's patient
    made.SpecificCharacterSet = "ISO_IR 192"  # highdicom takes the source's, which need not hold our names
    with complete_file(Path(path)) as temporary:
        made.save_as(temporary)


def _description(structure: Structure, number: int) -> Any:
    """What highdicom writes of a segment beside its voxels."""
    import highdicom as hd
    from highdicom.sr.coding import CodedConcept

    family = CodedConcept("123109", "DCM", "Manual Processing")
    made_by = hd.AlgorithmIdentificationSequence(name="DSIR Registration", version=__version__, family=family)
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=structure.name[:64],
        segmented_property_category=CodedConcept(*ORGAN),
        segmented_property_type=CodedConcept(*_type(structure)),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=made_by,
        display_color=hd.color.CIELabColor.from_rgb(*structure.colour),
    )


def _type(structure: Structure) -> tuple[str, str, str]:
    for value, scheme, meaning in structure.role.codes:
        if value and scheme and meaning:
            return value, scheme, meaning[:64]
    parts = structure.role.terminology.split("~")
    if len(parts) > 2 and parts[2].count("^") == 2:
        scheme, value, meaning = parts[2].split("^")
        if scheme and value and meaning:
            return value, scheme, meaning[:64]
    return TISSUE
