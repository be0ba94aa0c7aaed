"""The whole way: structures from the moving to the fixed scan, and a verdict on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import DsirError
from ..geometry.lattice import Lattice
from ..progress import Progress, silent, within
from ..registration.findings import Finding
from ..shapes.structure import PointSet, Structure, StructureSet
from ..transforms.composite import Transform
from ..warp.pullback import Carried, inner_points, pull_back
from .doubts import reaching
from .measures import SAMPLES, measure
from .point_sets import CarriedPointSet, carry_point_set, measure_point_set
from .rigid import RigidResult, keep_rigid
from .transform_confidence import TransformConfidence
from .verdict import Verdict, judge, judge_point_set

Named = TypeVar("Named", Structure, PointSet)


@dataclass(frozen=True, eq=False)
class Propagation:
    """Propagated structures, and the verdict on each.

    Attributes:
        carried: structures on the fixed scan, in the order of the source.
        carried_point_sets: points, curves and open surfaces on the fixed scan.
        verdicts: one for each structure and point set.
        transform: the one that was used; with rigid structures not the one that was given.
        references: name to the reference structure that it was compared with.
        remarks: what was left out or changed, one sentence each.
        rigid: how the rigid structures were kept, if there were any.
    """

    carried: tuple[Carried, ...]
    carried_point_sets: tuple[CarriedPointSet, ...]
    verdicts: tuple[Verdict, ...]
    transform: Transform
    references: dict[str, Structure] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    rigid: RigidResult | None = None

    @property
    def structures(self) -> tuple[Structure, ...]:
        """The carried structures of which something is left."""
        return tuple(c.structure for c in self.carried if not c.structure.empty)

    @property
    def point_sets(self) -> tuple[PointSet, ...]:
        """The propagated point sets."""
        return tuple(c.structure for c in self.carried_point_sets)


def propagate(
    source: StructureSet,
    transform: Transform,
    fixed: Lattice,
    *,
    rigid: Sequence[str] = (),
    reference: StructureSet | None = None,
    confidence: TransformConfidence | None = None,
    doubts: Sequence[Finding] = (),
    progress: Progress = silent,
) -> Propagation:
    """Carry every structure and judge it.

    Args:
        source: what was drawn on the moving scan.
        transform: fixed to moving, RAS mm.
        fixed: the fixed scan; its third axis counts the slices.
        rigid: names of structures that must not deform.
        reference: structures drawn on the fixed scan; those of the same name are compared.
        confidence: what the images say of the transform.
        doubts: what speaks against the registration; without a reference no light is better than those that hold
            where the structure lies.

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
    references = _partners(source.structures, reference.structures if reference else ())
    known = _partners(source.point_sets, reference.point_sets if reference else ())
    if reference is not None:
        names = [*(s.name for s in source.structures), *(m.name for m in source.point_sets)]
        without = [name for name in names if name not in references and name not in known]
        if without:
            remarks.append(f"The reference has no contours for {', '.join(without)}.")
    verdicts = []
    for n, item in enumerate(carried):
        progress("judging", 0.5 + 0.5 * n / max(len(carried), 1), f"structure {n + 1} of {len(carried)}")
        figures = measure(item, transform, fixed, confidence=confidence, reference=references.get(item.structure.name))
        here = reaching(doubts, inner_points(item.structure, SAMPLES))
        verdicts.append(judge(item, figures, slice_mm=float(fixed.spacing[2]), doubts=here))
    point_sets = tuple(carry_point_set(point_set, transform, fixed) for point_set in source.point_sets)
    for point_set in point_sets:
        partner = known.get(point_set.structure.name)
        figures = measure_point_set(point_set, transform, fixed, confidence=confidence, reference=partner)
        here = reaching(doubts, point_set.structure.points)
        verdicts.append(judge_point_set(point_set, figures, doubts=here))
    return Propagation(carried, point_sets, tuple(verdicts), transform, references, tuple(remarks), kept)


def _chosen(source: StructureSet, names: Sequence[str]) -> list[Structure]:
    found = {name: named(name, source.structures) for name in dict.fromkeys(names)}
    missing = [name for name, structure in found.items() if structure is None]
    if missing:
        there = ", ".join(s.name for s in source.structures)
        raise DsirError(f"There is no structure named {', '.join(missing)} to keep rigid; there are {there}.")
    return list({id(structure): structure for structure in found.values() if structure is not None}.values())


def _partners(drawn: Sequence[Named], reference: Sequence[Named]) -> dict[str, Named]:
    """What the reference holds of each, by name."""
    found = {item.name: named(item.name, reference) for item in drawn}
    return {name: partner for name, partner in found.items() if partner is not None}


def named(name: str, among: Sequence[Named]) -> Named | None:
    """The one of that very name; else the only one of which case and blanks alone differ; else None."""
    alike = [item for item in among if _plain(item.name) == _plain(name)]
    return next((item for item in alike if item.name == name), alike[0] if len(alike) == 1 else None)


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
