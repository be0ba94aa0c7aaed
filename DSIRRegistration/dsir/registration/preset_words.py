"""What each preset is for, in words: for menus, for ``dsir presets``, for whoever asks why.

Imports nothing heavy, so that a panel can show them before there is torch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PresetWords:
    """A preset for people.

    Attributes:
        title: a few words for a menu.
        reason: of each choice.
        measured: on which pair of its kind and how well, or that there was none (Testing/benchmarks/models.py and
            task_presets.py); empty for presets that are not for a task.
    """

    title: str
    reason: str
    measured: str = ""

    @property
    def whole(self) -> str:
        """Reason and measurement in one."""
        return f"{self.reason} {self.measured}".strip()


TASK_WORDS: dict[str, PresetWords] = {
    "head_mr_mr": PresetWords(
        "Head, MR and MR, one person",
        "One person's head in two MR contrasts: the skull holds all together, so shift and turn at most, no scale, no "
        "deformation; MIND-SSC, since six numbers need no network.",
        "Measured: T1-FLAIR of a stroke stays within 0.2 mm of where it lay (0.5 before), T1-T2 of a tumour keeps its "
        "volume (1.04 times before).",
    ),
    "head_ct_mr": PresetWords(
        "Head, CT and MR, one person",
        "One person's head in CT and MR: the skull holds all together, so shift and turn at most, no scale, no "
        "deformation. Scanners' distortions of a millimetre or two stay.",
        "Not measured on a person: there was no CT and MR of one head. Averages of many heads, one turned by 6 degrees "
        "and moved by 8 mm: 9.3 to 1.6 mm in the mean; the same averages, unmoved, stay where they lie.",
    ),
    "body_ct_mr": PresetWords(
        "Trunk, CT and MR, one person",
        "One person's trunk in CT and MR: organs move between two tables, so a deformation is made and kept if mutual "
        "information confirms it; the learned descriptor, which crosses CT and MR best; no scale.",
        "Not measured on a person. CT and T2 of a piece of meat whose headers lie 180 degrees apart: found, 6.4 mm in "
        "the mean from a rigid registration by mutual information (130 before).",
    ),
    "ct_ct": PresetWords(
        "CT and CT of two times, one person",
        "One person's CT of two times: same values on both sides, where MIND-SSC is the more exact and the quicker; a "
        "deformation, since months lie between; no scale.",
        "Measured on a lung at two visits: landmarks 34.9 to 2.0 mm (1.9 with scale and shear).",
    ),
    "ct_cbct": PresetWords(
        "Planning CT and cone-beam CT",
        "Planning CT and the day's cone beam: the patient lies nearly the same, so a short search (24 mm), and twice "
        "as stiff, since scatter and streaks must not be followed; the deformation is kept only if it is confirmed.",
        "Measured on cone beams simulated from two CTs, since there was no real one: a trunk 5.8 to 0.9 mm in the "
        "mean, a lung 5.9 to 1.0 (fast: 1.6 and 1.3).",
    ),
    "lung_4dct": PresetWords(
        "Lung, phases of one 4D-CT",
        "Two phases of one breathing scan: the table did not move, so no linear part; the diaphragm moves up to 3 cm, "
        "which the search reaches; MIND-SSC, same values on both sides.",
        "Measured on one lung at two visits without the shift between them, since there were no phases of one scan: "
        "landmarks 5.0 to 2.0 mm (fast: 2.2).",
    ),
    "pet_ct": PresetWords(
        "PET and CT of one examination",
        "PET and CT of one examination: they share the table, so it begins from the scanner's own positions and looks "
        "no further; shift and turn at most, for PET is too coarse to say more.",
        "Measured on PETs simulated from two CTs, since there was no real one: what lies together stays where it is, "
        "and of 4.1 mm 0.1 is left.",
    ),
    "two_persons": PresetWords(
        "Two persons, or an atlas",
        "Two persons, or a person and an atlas: sizes differ, so there is always a scale, a shear and a "
        "deformation; the start is searched for, since the two scanners know nothing of each other.",
        "Measured on two planning CTs of head and neck: mean Dice 0.03 as they lie, 0.63 after; CT and MR of two "
        "trunks: 0.00 and 0.49. A softer field than the default's is worth 0.01 and 0.02 of that.",
    ),
}
"""By task."""

WORDS: dict[str, PresetWords] = {
    "fast": PresetWords(
        "Any two scans, quickly",
        "For a first look, and for scans of one modality: works at 3 mm, in a third of the time; compares by fixed "
        "rules alone (MIND-SSC), without the network.",
    ),
    "default": PresetWords(
        "Any two scans",
        "For everyday use: works at 2 mm; compares what surrounds a voxel by the learned network and by fixed rules "
        "(MIND-SSC).",
    ),
    "accurate": PresetWords(
        "Any two scans, finely",
        "1.5 mm and more steps, where a minute more does not matter.",
    ),
    "paper": PresetWords(
        "As the paper descends",
        "The paper's own gradient descent, to compare with; slower and less accurate than the default.",
    ),
    **TASK_WORDS,
}
"""Of every preset, in the order ``dsir presets`` lists them."""
