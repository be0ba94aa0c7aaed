"""Two scans as files: read them, register them, write the result folder. The command line and the batch share it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..dicom.identity import identity_of
from ..dicom.pseudonym import series_facts
from ..dicom.suv import suv_facts
from ..errors import OutputError
from ..files.dicom_registration import Frames
from ..files.displacements import Convention
from ..files.images import geometry_remarks, read_image, read_mask
from ..files.landmarks import LandmarkPairs, read_landmarks
from ..files.output_folder import check_output_folder, rescue_folder
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..messages import Message, once
from ..progress import Progress, silent, within
from ..registration.findings import with_findings
from ..registration.register import RegistrationResult, register
from ..registration.settings import RegistrationSettings
from ..registration.verdict import judged_by_known
from ..rt.label_maps import read_labels
from ..transforms.composite import Transform
from .given_transform import read_given_transform, start_warnings
from .identity_gate import check_one_person, headers, one_person
from .measure import measure
from .result import write_result

Labels = tuple[torch.Tensor, Lattice]
"""A label map (I, J, K), and where its voxels lie."""


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
    progress("reading", 0.01, "reading the images")
    read = _Read.of(pair, settings, images, field_convention, progress)
    result = register(
        read.fixed,
        read.moving,
        read.settings,
        fixed_mask=read.fixed_mask,
        moving_mask=read.moving_mask,
        initial=read.given if pair.initial else None,
        refine=read.given if pair.refine else None,
        landmarks=read.landmarks,
        progress=within(progress, 0.03, 0.85),
    )
    facts = _facts(read, result, command_line)
    result = replace(result, report=with_findings(facts, judged_by_known(facts)))

    def write(folder: str | Path, overwrite: bool) -> dict[str, Any]:
        factor = read.series.get("moving", {}).get("suv_factor")
        return write_result(
            folder,
            read.fixed,
            read.moving,
            result,
            initial=read.given,
            moving_labels=read.moving_labels,
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


@dataclass(frozen=True, eq=False)
class _Read:
    """All that a pair's files hold, before anything is computed.

    Attributes:
        settings: they know from DICOM, too, whether both scans are one person's.
        given: the transform that was given, a start or one to refine.
        series: role to facts of the series, of those that are DICOM.
        remarks: what must be said of the files, one sentence each.
    """

    settings: RegistrationSettings
    fixed: Image
    moving: Image
    fixed_mask: torch.Tensor | None
    moving_mask: torch.Tensor | None
    given: Transform | None
    landmarks: LandmarkPairs | None
    moving_labels: Labels | None
    fixed_labels: Labels | None
    series: dict[str, dict[str, Any]]
    remarks: tuple[str, ...]

    @staticmethod
    def of(
        pair: Pair,
        settings: RegistrationSettings,
        images: tuple[Image, Image] | None,
        convention: Convention | None,
        progress: Progress,
    ) -> _Read:
        """Read them; the identity gate comes first."""
        read_first = headers(pair.files)
        people = {role: identity_of(header) for role, header in read_first.items()}
        persons = check_one_person(people, different_patients=pair.different_patients)
        if settings.same_person is None and one_person(people.get("fixed"), people.get("moving")):
            settings = replace(settings, same_person=True)
        fixed, moving = images or (read_image(pair.fixed), read_image(pair.moving))
        masks = (
            read_mask(pair.fixed_mask, fixed.lattice) if pair.fixed_mask else None,
            read_mask(pair.moving_mask, moving.lattice) if pair.moving_mask else None,
        )
        start = pair.refine or pair.initial
        same = (Message("same_scan"),) if pair.fixed.resolve() == pair.moving.resolve() else ()
        others = (pair.fixed_mask, pair.moving_mask, pair.moving_labels, pair.fixed_labels, start)
        said = once(persons, same, fixed.remarks, moving.remarks, geometry_remarks(*others))
        given = None
        if start is not None:
            progress("reading", 0.02, "judging the transform that was given")
            frames = Frames.of(read_first)
            judged = read_given_transform(
                start, convention=convention, fixed=fixed, moving=moving, fixed_mask=masks[0], frames=frames
            )
            given = judged.transform
            said = once(said, judged.remarks, start_warnings(given, fixed, moving, *masks))
        return _Read(
            settings,
            fixed,
            moving,
            *masks,
            given,
            landmarks=read_landmarks(pair.landmarks) if pair.landmarks else None,
            moving_labels=read_labels(pair.moving_labels) if pair.moving_labels else None,
            fixed_labels=read_labels(pair.fixed_labels) if pair.fixed_labels else None,
            series={role: {**series_facts(header), **suv_facts(header)} for role, header in read_first.items()},
            remarks=said,
        )


def _facts(read: _Read, result: RegistrationResult, command_line: str) -> dict[str, Any]:
    """The report: what was registered, and what labels say of it."""
    unsaid = (
        Message("no_suv", role=role, reason=one["no_suv"]) for role, one in read.series.items() if "no_suv" in one
    )
    facts = {
        **result.report,
        "warnings": [*read.remarks, *unsaid, *result.report["warnings"]],
        "series": read.series,
        **({"command_line": command_line} if command_line else {}),
    }
    if read.fixed_labels and read.moving_labels:
        found = measure(result.transform, fixed_labels=read.fixed_labels, moving_labels=read.moving_labels)
        facts |= {"labels": found["labels"], "dice": found["dice"]}
    return facts
