"""Two scans as files: read them, register them, write the result folder. The command line and the batch share it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..dicom.identity import identity_of
from ..dicom.pseudonym import series_facts
from ..dicom.suv import suv_facts
from ..errors import OutputError
from ..files.dicom_registration import Frames
from ..files.displacements import Convention
from ..files.images import geometry_remarks, read_image, read_mask
from ..files.landmarks import read_landmarks
from ..files.output_folder import check_output_folder, rescue_folder
from ..geometry.image import Image
from ..messages import Message, once
from ..progress import Progress, silent, within
from ..registration.findings import with_findings
from ..registration.register import register
from ..registration.settings import RegistrationSettings
from ..registration.verdict import judged_by_known
from ..rt.label_maps import read_labels
from .given_transform import read_given_transform, start_warnings
from .identity_gate import check_one_person, headers, one_person
from .measure import measure
from .result import write_result


@dataclass(frozen=True)
class Pair:
    """What a registration reads.

    Attributes:
        fixed, moving: the scans; a folder holds one DICOM series.
        fixed_mask, moving_mask: where to look (above zero).
        initial: a start, fixed to moving.
        refine: a transform to be improved, in the place of ``initial``; nothing is searched for then.
        landmarks: pairs that belong together, as soft constraints (columns fx,fy,fz,mx,my,mz in RAS mm).
        moving_labels: a label map to be propagated onto fixed.
        fixed_labels: the same values on fixed: how well they meet is measured then.
        different_patients: the scans may be of two persons; else DICOM that says so is refused.
    """

    fixed: Path
    moving: Path
    fixed_mask: Path | None = None
    moving_mask: Path | None = None
    initial: Path | None = None
    refine: Path | None = None
    landmarks: Path | None = None
    moving_labels: Path | None = None
    fixed_labels: Path | None = None
    different_patients: bool = False

    @property
    def files(self) -> dict[str, Path]:
        """Role to file; roles without one are left out."""
        return {role: Path(path) for role, path in asdict(self).items() if path and role != "different_patients"}


def register_pair(
    pair: Pair,
    settings: RegistrationSettings,
    out: str | Path,
    *,
    brief: bool = False,
    field_convention: Convention | None = None,
    images: tuple[Image, Image] | None = None,
    overwrite: bool = False,
    command_line: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Register and write the result folder of :func:`dsir.workflow.result.write_result`; all of it, or nothing.

    Args:
        images: fixed and moving, where the caller has read them already.
        command_line: what the user typed, for the report.
        field_convention: of ``initial`` or ``refine`` where their file does not say it; by default the images decide.

    Returns:
        the report, as it was written; with both label maps it holds ``labels`` and ``dice`` as
        :func:`dsir.workflow.measure.measure` gives them.

    Raises:
        DsirError: a file cannot be read, or the scans cannot be registered.
        OutputError: the result cannot be written to ``out``; it then lies among the temporary files, where ``kept``
            of the error says.
    """
    check_output_folder(out, overwrite=overwrite)
    read_first = headers(pair.files)
    people = {role: identity_of(header) for role, header in read_first.items()}
    persons = check_one_person(people, different_patients=pair.different_patients)
    if settings.same_person is None and one_person(people.get("fixed"), people.get("moving")):
        settings = replace(settings, same_person=True)
    progress("reading", 0.01, "reading the images")
    fixed, moving = images or (read_image(pair.fixed), read_image(pair.moving))
    fixed_mask = read_mask(pair.fixed_mask, fixed.lattice) if pair.fixed_mask else None
    moving_mask = read_mask(pair.moving_mask, moving.lattice) if pair.moving_mask else None
    start = pair.refine or pair.initial
    same = (Message("same_scan"),) if pair.fixed.resolve() == pair.moving.resolve() else ()
    others = (pair.fixed_mask, pair.moving_mask, pair.moving_labels, pair.fixed_labels, start)
    said = once(persons, same, fixed.remarks, moving.remarks, geometry_remarks(*others))
    given = None
    if start is not None:
        progress("reading", 0.02, "judging the transform that was given")
        read = read_given_transform(
            start,
            convention=field_convention,
            fixed=fixed,
            moving=moving,
            fixed_mask=fixed_mask,
            frames=Frames.of(read_first),
        )
        given = read.transform
        said = once(said, read.remarks, start_warnings(given, fixed, moving, fixed_mask, moving_mask))
    landmarks = read_landmarks(pair.landmarks) if pair.landmarks else None
    moving_labels = read_labels(pair.moving_labels) if pair.moving_labels else None
    fixed_labels = read_labels(pair.fixed_labels) if pair.fixed_labels else None
    result = register(
        fixed,
        moving,
        settings,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        initial=given if pair.initial else None,
        refine=given if pair.refine else None,
        landmarks=landmarks,
        progress=within(progress, 0.03, 0.85),
    )
    series = {role: {**series_facts(header), **suv_facts(header)} for role, header in read_first.items()}
    factor = series.get("moving", {}).get("suv_factor")
    said += tuple(Message("no_suv", role=role, reason=one["no_suv"]) for role, one in series.items() if "no_suv" in one)
    facts = {**result.report, "warnings": [*said, *result.report["warnings"]], "series": series}
    facts |= {"command_line": command_line} if command_line else {}
    if fixed_labels and moving_labels:
        found = measure(result.transform, fixed_labels=fixed_labels, moving_labels=moving_labels)
        facts |= {"labels": found["labels"], "dice": found["dice"]}
    result = replace(result, report=with_findings(facts, judged_by_known(facts)))

    def write(folder: str | Path, overwrite: bool) -> dict[str, Any]:
        return write_result(
            folder,
            fixed,
            moving,
            result,
            initial=given,
            moving_labels=moving_labels,
            suv_factor=None if factor is None else float(factor),
            inputs=pair.files,
            brief=brief,
            overwrite=overwrite,
            progress=within(progress, 0.85, 1.0),
        )

    try:
        return write(out, overwrite)
    except OutputError as error:
        with rescue_folder(error) as folder:  # always raises: says where the result lies now
            write(folder, True)
        raise
