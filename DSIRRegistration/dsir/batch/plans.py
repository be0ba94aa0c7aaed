"""What a worker does with one patient: ``dsir plan``, with the preset that the two studies call for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..dicom.picks import picking
from ..errors import DsirError
from ..files.report import FORMAT, fingerprint, read_report
from ..planning.run import run_plan
from ..planning.work import PlanOfWork
from ..registration.settings import RegistrationSettings
from ..reports.batch.rows import Row, State
from . import outcome
from .case_kind import Kind
from .finished import same_settings
from .job import told
from .studies import TwoStudies

LIGHTS = ("red", "amber", "green")

PLAN = "plan.json"
"""The report of ``dsir plan``, which appears last."""


@dataclass(frozen=True)
class PlanCase:
    """One patient and what was asked for.

    Attributes:
        settings: of each preset, so that the worker that has looked into the studies has those that fit.
        preset: asked for; None leaves it to the studies.
        picks: series that the user chose (:mod:`dsir.dicom.picks`).
        pseudonym: stands for the patient in the DICOM files.
    """

    studies: TwoStudies
    settings: Mapping[str, RegistrationSettings]
    preset: str | None = None
    picks: tuple[str, ...] = ()
    pseudonym: str | None = None
    different_patients: bool = False
    even_if_failed: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        """What else than files and settings makes the result; ``plan.json`` holds it."""
        names = ("preset", "pseudonym", "different_patients", "even_if_failed")
        return {**{name: getattr(self, name) for name in names}, "picks": list(self.picks)}


def plan_one(case: PlanCase, where: RegistrationSettings, folder: Path) -> str:
    """Look into both studies, register, propagate and write into ``folder``, whatever an earlier run left there.

    Args:
        where: its device and threads are taken.

    Returns:
        the empty string, or the sentence that says why there is no result.
    """
    return told(lambda: _plan(case, where, folder), folder)


def plan_of(case: PlanCase) -> PlanOfWork:
    """What would be done: look into both studies.

    Raises:
        DsirError: they cannot be planned; the sentence says why.
    """
    if case.studies.refused:
        raise DsirError(case.studies.refused)
    with picking(case.picks):
        return PlanOfWork.of(
            case.studies.fixed,
            case.studies.moving,
            preset=case.preset,
            different_patients=case.different_patients,
        )


def _plan(case: PlanCase, where: RegistrationSettings, folder: Path) -> None:
    plan = plan_of(case)
    run_plan(
        plan,
        folder,
        replace(case.settings[plan.preset], device=where.device, threads=where.threads),
        pseudonym=case.pseudonym,
        even_if_failed=case.even_if_failed,
        overwrite=True,
        asked=case.asked,
    )


def is_planned(folder: Path, case: PlanCase, where: RegistrationSettings) -> bool:
    """Whether the plan is there, made of the same files, as it is asked for now.

    Files are compared by what is in them (SHA-256), so the same series would be chosen again.
    """
    report = read_report(folder / PLAN)
    if report.get("format") != FORMAT or report.get("asked") != case.asked or case.studies.refused:
        return False
    try:
        if not same_settings(report["settings"], case.settings[report["plan"]["preset"]], but=("same_person",)):
            return False
        studies = {"fixed study": case.studies.fixed, "moving study": case.studies.moving}
        return all(fingerprint(path)["sha256"] == report["inputs"][role]["sha256"] for role, path in studies.items())
    except (DsirError, OSError, KeyError, TypeError, AttributeError):
        return False


def row(name: str, state: State, folder: Path, error: str = "") -> Row:
    """A patient's row: the registration's figures, the preset, and the lights of the contours."""
    found = replace(outcome.row(name, state, folder / "registration", error), folder="")
    report = read_report(folder / PLAN) if state in (State.DONE, State.KEPT) else {}
    if not report:
        return found
    lights = Counter(one["light"] for one in report.get("structures", ()))
    counted = ", ".join(f"{lights[light]} {light}" for light in LIGHTS if lights[light])
    return replace(
        found,
        contours=f"contours: {counted}" if counted else "no contours",
        preset=report["plan"]["preset"],
        warnings=" ".join(report.get("warnings", ())),
        folder=str(folder),
    )


PLANS = Kind("patients", "planned", plan_one, is_planned, row)
