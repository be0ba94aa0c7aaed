"""What a planner draws, apart from any file: a named shape with a continuous outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.lattice import Lattice

PALETTE = (
    (230, 60, 60), (60, 160, 240), (70, 200, 90), (250, 190, 40), (170, 90, 220), (40, 200, 200),
    (245, 130, 50), (240, 110, 180), (150, 200, 60), (110, 110, 240), (190, 140, 90), (120, 220, 170),
)  # fmt: skip
"""Colours for structures whose file gives none."""


@dataclass(frozen=True)
class Role:
    """What a structure is for, in the words of its file.

    Attributes:
        kind: RT ROI Interpreted Type (3006,00A4): ORGAN, GTV, PTV, EXTERNAL, ...; empty when not said.
        codes: (value, scheme, meaning) of the ROI identification codes.
        terminology: the ``Terminology`` entry of a Slicer segment.
    """

    kind: str = ""
    codes: tuple[tuple[str, str, str], ...] = ()
    terminology: str = ""


@dataclass(frozen=True, eq=False)
class Structure:
    """A shape as the continuous field whose zero level is its surface.

    Attributes:
        name: as the planner wrote it.
        distance: (I, J, K) float32 mm on ``lattice``: positive inside, negative outside, about the distance to the
            surface near it and clamped far from it. Read trilinearly between its voxels; negative beyond its box.
        lattice: the box around the shape.
        number: ROI number or label value, above 0 and unique in its set.
        colour: red, green, blue, 0 to 255.
        role: what it is for.
        remarks: what happened to it on the way, one sentence each.
    """

    name: str
    distance: torch.Tensor
    lattice: Lattice
    number: int
    colour: tuple[int, int, int]
    role: Role = Role()
    remarks: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no voxel of it is inside."""
        return not bool((self.distance > 0).any())


@dataclass(frozen=True, eq=False)
class PointSet:
    """A point of interest, such as an isocentre or a fiducial marker.

    Attributes:
        points: (N, 3) RAS mm.
    """

    name: str
    points: np.ndarray
    number: int
    colour: tuple[int, int, int]
    role: Role = Role()


@dataclass(frozen=True, eq=False)
class StructureSet:
    """Everything that was drawn on one scan.

    Attributes:
        scan: the lattice of the scan they were drawn on.
        structures: those that can be used.
        point_sets: points of interest.
        remarks: what was left out and why, one sentence each.
        label: the set's own name.
    """

    scan: Lattice
    structures: tuple[Structure, ...]
    point_sets: tuple[PointSet, ...] = ()
    remarks: tuple[str, ...] = ()
    label: str = ""


def colour_of(number: int) -> tuple[int, int, int]:
    """A colour for a structure without one."""
    return PALETTE[(number - 1) % len(PALETTE)]


def unique_names(names: list[str]) -> tuple[list[str], list[str]]:
    """Names that can be told apart, and a sentence for each that had to change."""
    taken, out, said = set(names), [], []
    seen: set[str] = set()
    for name in names:
        new, count = name, 2
        while new in seen or (new != name and new in taken):
            new, count = f"{name} ({count})", count + 1
        if new != name:
            said.append(f"Two structures are named {name}; the later one is called {new}.")
        seen.add(new)
        out.append(new)
    return out, said


def short_names(names: list[str], longest: int) -> tuple[list[str], list[str]]:
    """Names of at most ``longest`` characters that can be told apart, and a sentence for each that had to change."""
    out: list[str] = []
    for name in names:
        new, count = name[:longest], 2
        while new in out:
            end = f" ({count})"
            new, count = name[: longest - len(end)] + end, count + 1
        out.append(new)
    pairs = zip(names, out, strict=True)
    said = [f"The name {old} is longer than DICOM allows; it is {new} there." for old, new in pairs if old != new]
    return out, said
