"""Settings for a task, with the reason of each choice and what it was measured on.

``same_person`` keeps the linear model free of scales; ``deformable`` is off where bones decide, on where it is known
that something moved, and otherwise left to the scans (:mod:`.evidence`).
"""

from __future__ import annotations

from dataclasses import dataclass

from .linear import LinearSettings
from .settings import RegistrationSettings


@dataclass(frozen=True)
class Task:
    """A preset for a task.

    Attributes:
        settings: as they are.
        reason: of each choice, in words.
        measured: on which pair of its kind and how well, or that there was none (Testing/benchmarks/models.py).
    """

    settings: RegistrationSettings
    reason: str
    measured: str


def _one_person(name: str, **changes: object) -> RegistrationSettings:
    return RegistrationSettings(**{"preset": name, "same_person": True, **changes})


TASKS: dict[str, Task] = {
    "head_mr_mr": Task(
        _one_person("head_mr_mr", descriptor="mind", deformable=False),
        "One person's head in two MR contrasts: the skull holds all together, so shift and turn at most, no scale, no "
        "deformation; MIND-SSC, since six numbers need no network.",
        "Measured: T1-FLAIR of a stroke stays within 0.2 mm of where it lay (0.5 before), T1-T2 of a tumour keeps its "
        "volume (1.04 times before).",
    ),
    "head_ct_mr": Task(
        _one_person("head_ct_mr", descriptor="mind", deformable=False),
        "One person's head in CT and MR: as head_mr_mr. Scanners' distortions of a millimetre or two stay.",
        "Not measured on a pair of its kind: there was no CT and MR of one head. On averages of many heads it leaves "
        "what lies together where it is.",
    ),
    "body_ct_mr": Task(
        _one_person("body_ct_mr"),
        "One person's trunk in CT and MR: organs move between two tables, so a deformation is made and kept if mutual "
        "information confirms it; the learned descriptor, which crosses CT and MR best; no scale.",
        "Not measured on a person. CT and T2 of a piece of meat whose headers lie 180 degrees apart: found, 6.4 mm in "
        "the mean from a rigid registration by mutual information (130 before).",
    ),
    "ct_ct": Task(
        _one_person("ct_ct", descriptor="mind", deformable=True),
        "One person's CT of two times: same values on both sides, where MIND-SSC is the more exact and the quicker; a "
        "deformation, since months lie between; no scale.",
        "Measured on a lung at two visits: landmarks 34.9 to 2.0 mm (1.9 with scale and shear).",
    ),
    "ct_cbct": Task(
        _one_person("ct_cbct", descriptor="mind").stiffer(2.0).capturing(24.0),
        "Planning CT and the day's cone beam: the patient lies nearly the same, so a short search (24 mm), and twice "
        "as stiff, since scatter and streaks must not be followed; the deformation is kept only if it is confirmed.",
        "Not measured: there was no cone-beam CT.",
    ),
    "lung_4dct": Task(
        _one_person("lung_4dct", descriptor="mind", deformable=True, linear=LinearSettings(model="none")).capturing(
            36.0
        ),
        "Two phases of one breathing scan: the table did not move, so no linear part; the diaphragm moves up to 3 cm, "
        "which the search reaches; MIND-SSC, same values on both sides.",
        "Not measured: there were no phases of one scan.",
    ),
    "pet_ct": Task(
        _one_person(
            "pet_ct", descriptor="mind", deformable=False, linear=LinearSettings(start="identity", model="auto")
        ),
        "PET and CT of one examination: they share the table, so it begins from the scanner's own positions and looks "
        "no further; shift and turn at most, for PET is too coarse to say more.",
        "Not measured: there was no PET.",
    ),
    "two_persons": Task(
        RegistrationSettings(
            preset="two_persons", same_person=False, deformable=True, linear=LinearSettings(model="affine")
        ),
        "Two persons, or a person and an atlas: sizes differ, so there is always a scale, a shear and a "
        "deformation; the start is searched for, since the two scanners know nothing of each other.",
        "Measured on two planning CTs of head and neck: mean Dice 0.03 as they lie, 0.63 after; CT and MR of two "
        "trunks: 0.00 and 0.47.",
    ),
}
