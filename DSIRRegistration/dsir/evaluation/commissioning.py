"""The trials of a commissioning: known motions put to the registration, its answers held against tolerances."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from ..errors import DsirError
from ..progress import Progress, silent, within
from ..registration.register import register
from ..registration.settings import RegistrationSettings
from ..transforms.composite import Transform
from .cases import Case
from .deformation import DeformationSettings
from .tolerances import OURS, TG132, Errors, Tolerance, deformable_tolerances, rigid_tolerances
from .virtual_phantoms import Brain, Contrast, Disturbance, padded_brain, phantom


@dataclass(frozen=True)
class Trial:
    """One known motion.

    Attributes:
        name: a few words.
        motion: of the fixed scan; an amplitude of zero is a rigid motion.
        contrast: of the moving scan.
        rigid: ask for a rigid registration; else the model is left to the settings.
        named: whether TG-132 names a tolerance for such a trial.
    """

    name: str
    motion: DeformationSettings
    contrast: Contrast = "same"
    disturbance: Disturbance = field(default_factory=Disturbance)
    rigid: bool = False
    named: bool = True

    def tolerances(self, spacing: float) -> tuple[Tolerance, ...]:
        """For voxels of ``spacing`` mm."""
        source = TG132 if self.named else OURS
        return deformable_tolerances(source) if self.motion.amplitude else rigid_tolerances(spacing, source)

    def asked(self, settings: RegistrationSettings) -> RegistrationSettings:
        """The settings of this trial."""
        if not self.rigid:
            return settings
        return replace(settings, linear=replace(settings.linear, model="rigid"), deformable=False)


@dataclass(frozen=True)
class Row:
    """What came of a trial.

    Attributes:
        errors: None where there is no registration.
        verdict: PASS, CHECK or FAIL, as the registration judged itself without the truth.
        seconds: of the registration.
        error: why there is none.
    """

    trial: Trial
    tolerances: tuple[Tolerance, ...]
    errors: Errors | None
    verdict: str = ""
    seconds: float = 0.0
    error: str = ""

    @property
    def met(self) -> bool:
        """Whether every tolerance is met."""
        return all(self._meets(one) for one in self.tolerances)

    @property
    def used(self) -> float | None:
        """The largest share of a tolerance that was used up."""
        return None if self.errors is None else max(one.used(self.errors) for one in self.tolerances)

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "trial": self.trial.name,
            "motion": asdict(self.trial.motion),
            "contrast": self.trial.contrast,
            "disturbance": asdict(self.trial.disturbance),
            "rigid": self.trial.rigid,
            "errors_mm": None if self.errors is None else asdict(self.errors),
            "tolerances": [{**asdict(one), "met": self._meets(one)} for one in self.tolerances],
            "used": self.used,
            "met": self.met,
            "verdict": self.verdict,
            "seconds": self.seconds,
            "error": self.error,
        }

    def _meets(self, tolerance: Tolerance) -> bool:
        return self.errors is not None and tolerance.met(self.errors)


def _rigid(turn: float = 0.0, shift: float = 0.0) -> DeformationSettings:
    return DeformationSettings(amplitude=0.0, rotation=turn, translation=shift)


def _bent(amplitude: float, turn: float = 0.0, shift: float = 0.0) -> DeformationSettings:
    return DeformationSettings(amplitude=amplitude, rotation=turn, translation=shift)


TRIALS = (
    Trial("nothing moved", _rigid()),
    Trial("shift of 12 mm", _rigid(shift=12.0), rigid=True),
    Trial("turn of 10 degrees", _rigid(turn=10.0), rigid=True),
    Trial("shift and turn, model left to the scans", _rigid(turn=8.0, shift=15.0)),
    Trial("shift and turn, other tissue curve", _rigid(turn=8.0, shift=15.0), "tissue", rigid=True, named=False),
    Trial("deformation of 6 mm", _bent(6.0)),
    Trial("deformation of 12 mm, shift and turn", _bent(12.0, 5.0, 10.0)),
    Trial("deformation, contrast inverted", _bent(8.0, 3.0, 5.0), "inverted", named=False),
    Trial("deformation, brightness squared", _bent(8.0, 3.0, 5.0), "monotone", named=False),
    Trial("deformation, other tissue curve", _bent(8.0, 3.0, 5.0), "tissue", named=False),
    Trial("deformation, noise of 10 %", _bent(8.0, 3.0, 5.0), disturbance=Disturbance(noise=0.10), named=False),
    Trial("deformation, drift of 20 %", _bent(8.0, 3.0, 5.0), disturbance=Disturbance(drift=0.20), named=False),
    Trial("deformation, 40 mm of brain cut off", _bent(8.0, 3.0, 5.0), disturbance=Disturbance(cut=40.0), named=False),
)  # fmt: skip

QUICK = (TRIALS[1], TRIALS[9])
"""Enough to see that an installation works: a rigid motion, and a deformation across contrasts."""


def judge(trial: Trial, case: Case, transform: Transform, verdict: str = "", seconds: float = 0.0) -> Row:
    """Hold a transform, fixed to moving, against the truth, at every voxel of the body."""
    assert case.truth is not None  # simulated
    lattice = case.fixed.lattice
    points = lattice.to_world(torch.nonzero(case.body).numpy())
    truth = points + case.truth.vectors[:, case.body].T.numpy()
    errors = Errors.of(transform.transform_points(points), truth, lattice.directions)
    return Row(trial, trial.tolerances(float(lattice.spacing.min())), errors, verdict, seconds)


def commission(
    settings: RegistrationSettings, trials: Sequence[Trial] = TRIALS, *, progress: Progress = silent
) -> list[Row]:
    """Put every trial to the registration; one that is refused is a row that says why.

    Raises:
        DsirError: nilearn, which carries the brain, is not installed.
    """
    progress("making", 0.0, "taking the ICBM average brain from nilearn")
    brain = padded_brain()
    rows = []
    for number, trial in enumerate(trials):
        part = within(progress, number / len(trials), (number + 1) / len(trials))
        rows.append(_tried(trial, brain, settings, part))
    progress("done", 1.0, "")
    return rows


def _tried(trial: Trial, brain: Brain, settings: RegistrationSettings, progress: Progress) -> Row:
    """The progress tells the trial as its stage, and the registration's own stages as what is said of it."""
    case = phantom(brain, trial.motion, trial.contrast, trial.disturbance, seed=settings.seed)

    def told(stage: str, fraction: float, message: str) -> None:
        progress(trial.name, fraction, stage)

    began = time.perf_counter()
    try:
        result = register(case.fixed, case.moving, trial.asked(settings), progress=told)
    except DsirError as error:
        spacing = float(brain.scan.lattice.spacing.min())
        return Row(trial, trial.tolerances(spacing), None, seconds=time.perf_counter() - began, error=str(error))
    seconds = time.perf_counter() - began
    return judge(trial, case, result.transform, result.report["verdict"]["level"], seconds)
