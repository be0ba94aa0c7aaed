"""The work itself: register, propagate, write what a planning system imports, and one page that says what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..dicom.dataset import read_header, text
from ..dicom.picks import picking
from ..dicom.series import Series, read_series
from ..dicom.suv import suv_facts
from ..files.images import read_image
from ..files.output_folder import OutputFolder
from ..files.report import run_report, write_report
from ..files.transforms import read_transform
from ..geometry.image import Image
from ..progress import Progress, silent, within
from ..registration.findings import Finding, findings_of
from ..registration.settings import RegistrationSettings
from ..reports.structures.verdicts import write_verdicts
from ..rt.dose import NOT_VALIDATED, dose_remarks, read_dose, view_dose, write_dose_view
from ..rt.registration_out import write_registration
from ..rt.series_out import write_series
from ..rt.structures_in import read_rtstruct
from ..shapes.structure import StructureSet
from ..structures.confidence_map import measure_confidence
from ..structures.doubts import OTHER_PERSON
from ..structures.propagate import Propagation, propagate
from ..structures.structure_io import write_structures
from ..transforms.composite import Transform
from ..warp.images import warp_image
from ..workflow.identity_gate import LABEL
from ..workflow.pair import Pair, register_pair
from .doses import DoseTable, dose_table
from .page import write_page
from .work import PlanOfWork

WITHHELD = "The registration FAILed, so nothing for the planning system was written (--even-if-failed writes it)."


def run_plan(
    plan: PlanOfWork,
    out: str | Path,
    settings: RegistrationSettings,
    *,
    pseudonym: str | None = None,
    even_if_failed: bool = False,
    overwrite: bool = False,
    asked: Mapping[str, Any] | None = None,
    command_line: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write ``registration/`` (the folder of ``dsir register``), ``registration.dcm``, ``warped/``, ``structures.dcm``,
    ``structures.seg.dcm``, ``structures.html``, ``dose.nii.gz``, ``report.html`` and ``plan.json``; all, or none.

    Args:
        settings: of the registration; its preset is the plan's.
        pseudonym: stands for the patient in what goes out.
        even_if_failed: write contours and DICOM although the verdict is FAIL.
        asked: for the report: what a batch must know to see that a plan is there already.

    Returns:
        ``plan.json``, as it was written.

    Raises:
        DsirError: a file cannot be read, the scans cannot be registered, or the folder cannot be written.
    """
    two = bool(plan.persons)
    if two:
        settings = replace(settings, same_person=False)
    with picking(plan.picks), OutputFolder(out, overwrite=overwrite) as folder:
        given = _Given.of(plan)
        registered = register_pair(
            Pair(plan.fixed.path, plan.moving.path, different_patients=two),
            settings,
            folder.path / "registration",
            images=(given.fixed, given.moving),
            command_line=command_line,
            progress=within(progress, 0.0, 0.6),
        )
        files = {"registration/report.html": "the registration: verdict, pictures, figures"}
        remarks = [*plan.persons, *given.remarks]
        withheld = registered["verdict"]["level"] == "FAIL" and not even_if_failed
        found: Propagation | None = None
        doses: DoseTable | None = None
        if withheld:
            remarks.append(WITHHELD)
        else:
            transform = read_transform(folder.path / "registration" / "transform.h5")
            doubts = [*findings_of(registered), *([OTHER_PERSON] if two else [])]
            work = _Hand(plan, given, folder.path, transform, doubts, pseudonym, within(progress, 0.6, 0.95))
            found, doses = work.all()
            files |= work.files
            remarks += work.remarks
        facts = {
            "plan": plan.to_json(),
            "verdict": registered["verdict"],
            "structures": [] if found is None else [verdict.to_json() for verdict in found.verdicts],
            "dose": [] if doses is None else _doses(doses),
            "files": files,
            "warnings": list(dict.fromkeys([*remarks, *registered["warnings"]])),
            **({"asked": dict(asked)} if asked else {}),
        }
        inputs: dict[str, Path | None] = {"fixed study": plan.fixed.path, "moving study": plan.moving.path}
        report = run_report("plan", inputs=inputs, settings=settings.to_json(), facts=facts, command_line=command_line)
        progress("writing", 0.97, "the report")
        write_page(folder.path / "report.html", report, None if found is None else found.verdicts, doses)
        write_report(folder.path / "plan.json", report)
    progress("done", 1.0, "")
    return report


@dataclass(frozen=True, eq=False)
class _Given:
    """All that is read of both studies, before the registration: what is damaged must not be found after minutes."""

    fixed: Image
    moving: Image
    fixed_series: Series
    moving_series: Series
    drawn: StructureSet | None
    dose: Image | None
    remarks: tuple[str, ...]

    @staticmethod
    def of(plan: PlanOfWork) -> _Given:
        """Read it.

        Raises:
            DsirError: a file cannot be used.
        """
        fixed, moving = read_series(plan.fixed.path), read_series(plan.moving.path)
        sets, dose = plan.moving.structures, plan.moving.dose
        return _Given(
            fixed=read_image(plan.fixed.path),
            moving=read_image(plan.moving.path),
            fixed_series=fixed,
            moving_series=moving,
            drawn=None if sets is None else read_rtstruct(sets, moving),
            dose=None if dose is None else read_dose(dose),
            remarks=() if dose is None else dose_remarks(dose, moving),
        )


class _Hand:
    """What is written for the planning system, one thing after the other."""

    def __init__(
        self,
        plan: PlanOfWork,
        given: _Given,
        folder: Path,
        transform: Transform,
        doubts: Sequence[Finding],
        pseudonym: str | None,
        progress: Progress,
    ) -> None:
        self.plan, self.folder, self.transform, self.pseudonym = plan, folder, transform, pseudonym
        self.still, self.moved = given.fixed, given.moving
        self.drawn, self.dose = given.drawn, given.dose
        self.doubts, self.progress = doubts, progress
        self.label = LABEL if plan.persons else "DSIR"
        self.files: dict[str, str] = {}
        self.remarks: list[str] = []
        self.fixed, self.moving = given.fixed_series, given.moving_series

    def all(self) -> tuple[Propagation | None, DoseTable | None]:
        """Registration object, warped series, structures, dose."""
        self.progress("writing", 0.0, "the DICOM registration object")
        self._registration()
        self.progress("writing", 0.1, "the warped series")
        self._warped()
        found = None if self.drawn is None else self._structures(self.drawn)
        return found, self._dose(found)

    def _registration(self) -> None:
        if not (self.plan.fixed.frame_of_reference and self.plan.moving.frame_of_reference):
            return
        kind = write_registration(
            self.folder / "registration.dcm",
            self.transform,
            self.fixed,
            self.moving,
            label=self.label,
            pseudonym=self.pseudonym,
        )
        self.files["registration.dcm"] = f"DICOM {kind} registration, not approved"

    def _warped(self) -> None:
        """The moving scan as a series; a PET in SUV where its header says what that takes."""
        warped = warp_image(self.moved, self.transform, self.fixed.lattice)
        factor = suv_facts(self.moving.header).get("suv_factor")
        if factor is not None:
            warped = Image(warped.data * float(factor), warped.lattice)
        suv = factor is not None
        write_series(self.folder / "warped", warped, self.fixed, self.moving, pseudonym=self.pseudonym, suv=suv)
        units = ", in SUV by body weight" if suv else ""
        self.files["warped/"] = f"the moving scan on the fixed scan's slices, DICOM, derived{units}"

    def _structures(self, drawn: StructureSet) -> Propagation:
        still, moved = self.still, self.moved
        confidence = measure_confidence(still, moved, self.transform, progress=within(self.progress, 0.2, 0.6))
        found = propagate(
            drawn,
            self.transform,
            self.fixed.lattice,
            confidence=confidence,
            doubts=self.doubts,
            progress=within(self.progress, 0.6, 0.8),
        )
        self.remarks += found.remarks
        for name, words in (
            ("structures.dcm", "DICOM structure set (RTSTRUCT), unapproved"),
            ("structures.seg.dcm", "the same as a DICOM segmentation (SEG)"),
        ):
            if name.endswith(".seg.dcm") and not found.structures:
                continue
            self.remarks += write_structures(
                self.folder / name,
                found,
                self.fixed.lattice,
                series=self.fixed,
                label=self.label,
                pseudonym=self.pseudonym,
            )
            self.files[name] = words
        write_verdicts(
            self.folder / "structures.html", found, still, moved,
            remarks=list(found.remarks), progress=within(self.progress, 0.8, 0.95),
        )  # fmt: skip
        self.files["structures.html"] = "a light for each contour, with reasons and pictures"
        return found

    def _dose(self, found: Propagation | None) -> DoseTable | None:
        if self.dose is None or self.plan.moving.dose is None:
            return None
        view = view_dose(self.dose, self.transform, self.fixed.lattice)
        write_dose_view(self.folder / "dose.nii.gz", view)
        self.files["dose.nii.gz"] = f"the old plan's dose, {NOT_VALIDATED}"
        if self.drawn is None or found is None:
            return None
        header = read_header(self.plan.moving.dose)
        unit = "Gy" if header is None or text(header, "DoseUnits").upper() in ("", "GY") else "%"
        return dose_table(self.drawn.structures, self.dose, found.structures, view, unit)


def _doses(table: DoseTable) -> list[dict[str, Any]]:
    """For the report: the figures of each structure."""
    rows = []
    for row in table.rows:
        figures = {
            when: None if one is None else {
                "volume_cm3": one.volume, "mean": one.mean, "d95": one.dose_to(95), "d2": one.dose_to(2),
                "v20": one.volume_above(20.0), "outside": one.outside,
            }
            for when, one in (("before", row.before), ("after", row.after))
        }  # fmt: skip
        rows.append(
            {"name": row.name, "unit": table.unit, **figures, "mean_lowest": row.lowest, "mean_highest": row.highest}
        )
    return rows
