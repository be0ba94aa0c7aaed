"""The whole way: structures from the moving to the fixed scan, and a verdict on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import DsirError
from ..image import Image
from ..lattice import Lattice
from ..progress import Progress, silent, within
from ..transform import Transform
from .measures import measure
from .points import moving_to_fixed
from .pullback import Carried, pull_back
from .rigid import RigidResult, keep_rigid
from .structure import PointMark, Structure, StructureSet
from .verdict import Verdict, judge


@dataclass(frozen=True, eq=False)
class Propagation:
    """What came of it.

    Attributes:
        carried: structures on the fixed scan, in the order of the source.
        marks: points of interest on the fixed scan.
        verdicts: one for each structure.
        transform: the one that was used; with rigid structures not the one that was given.
        references: name to the reference structure that it was compared with.
        remarks: what was left out or changed, one sentence each.
        rigid: how the rigid structures were kept, if there were any.
    """

    carried: tuple[Carried, ...]
    marks: tuple[PointMark, ...]
    verdicts: tuple[Verdict, ...]
    transform: Transform
    references: dict[str, Structure] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    rigid: RigidResult | None = None

    @property
    def structures(self) -> tuple[Structure, ...]:
        """The carried structures of which something is left."""
        return tuple(c.structure for c in self.carried if not c.structure.empty)


def propagate(
    source: StructureSet,
    transform: Transform,
    fixed: Lattice,
    *,
    rigid: Sequence[str] = (),
    reference: StructureSet | None = None,
    confidence: Image | None = None,
    progress: Progress = silent,
) -> Propagation:
    """Carry every structure and judge it.

    Args:
        source: what was drawn on the moving scan.
        transform: fixed to moving, RAS mm.
        fixed: the fixed scan; its third axis counts the slices.
        rigid: names of structures that must not deform.
        reference: structures drawn on the fixed scan; those of the same name are compared.
        confidence: a map in fixed space, 0 to 1.

    Raises:
        DsirError: a rigid structure is not in the source, or cannot be kept rigid.
    """
    remarks = list(source.remarks)
    kept = None
    if rigid:
        progress("rigid", 0.0, "keeping structures rigid")
        kept = keep_rigid(_chosen(source, rigid), transform, fixed)
        transform = kept.transform
        remarks += [
            f"{name} moves as a rigid body (the deformation it replaces differed by up to {lost:.1f} mm); the motion "
            f"around it changes over {kept.transition_mm:g} mm."
            for name, lost in kept.given_up_mm.items()
        ]
    carried = pull_back(source.structures, transform, source.scan, fixed, progress=within(progress, 0.1, 0.5))
    references = _partners(source.structures, reference)
    if reference is not None:
        without = [s.name for s in source.structures if s.name not in references]
        if without:
            remarks.append(f"The reference has no contours for {', '.join(without)}.")
    verdicts = []
    for n, item in enumerate(carried):
        progress("judging", 0.5 + 0.5 * n / max(len(carried), 1), f"structure {n + 1} of {len(carried)}")
        figures = measure(item, transform, fixed, confidence=confidence, reference=references.get(item.structure.name))
        verdicts.append(judge(item, figures, slice_mm=float(fixed.spacing[2])))
    marks, said = _marks(source.marks, transform, fixed)
    return Propagation(carried, marks, tuple(verdicts), transform, references, tuple(remarks + said), kept)


def _chosen(source: StructureSet, names: Sequence[str]) -> list[Structure]:
    known = {_plain(s.name): s for s in source.structures}
    missing = [name for name in names if _plain(name) not in known]
    if missing:
        there = ", ".join(s.name for s in source.structures)
        raise DsirError(f"There is no structure named {', '.join(missing)} to keep rigid; there are {there}.")
    return [known[_plain(name)] for name in dict.fromkeys(names)]


def _partners(structures: Sequence[Structure], reference: StructureSet | None) -> dict[str, Structure]:
    """Reference structures by the name of their partner; case and blanks do not matter."""
    known = {_plain(s.name): s for s in reference.structures} if reference else {}
    return {s.name: known[_plain(s.name)] for s in structures if _plain(s.name) in known}


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _marks(marks: Sequence[PointMark], transform: Transform, fixed: Lattice) -> tuple[tuple[PointMark, ...], list[str]]:
    moved, remarks = [], []
    for mark in marks:
        points, _ = moving_to_fixed(transform, mark.points)
        seen = fixed.contains(points)
        if not seen.all():
            remarks.append(f"{np.count_nonzero(~seen)} of the points of {mark.name} lie outside the fixed scan.")
        moved.append(replace(mark, points=points))
    return tuple(moved), remarks
