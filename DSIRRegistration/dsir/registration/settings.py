"""Everything a registration depends on besides its images; shared as JSON by every door."""

from __future__ import annotations

from dataclasses import asdict, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from .checked import Count, Positive, Several, Share, Whole, checked, read_settings
from .descent import Level
from .discrete import DiscreteSettings
from .linear import LinearSettings
from .paper import PaperSettings
from .solver import Stiffness


@checked
class DescentSettings:
    """The continuous stage.

    Attributes:
        method: ``"compositive"`` (our own, a diffeomorphism by construction) or ``"paper"`` (Adam on a dense
            displacement, METHOD.md [R], with the fold guard behind it).
        levels: of our own, coarse to fine.
        weighed: weigh residuals by this pair's own noise, where that takes bending out of the field.
        paper: of the paper's.
    """

    method: Literal["compositive", "paper"] = "compositive"
    levels: Annotated[tuple[Level, ...], Several] = (
        Level(scale=2.0, stiffness=Stiffness(bending=10.0)),
        Level(scale=1.0),
        Level(scale=1.0, iterations=5, stiffness=Stiffness(bending=2.5), place=True),
        Level(scale=1.0, iterations=3, stiffness=Stiffness(bending=2.5), place=True, local=2.0),
    )
    weighed: bool = True
    paper: PaperSettings = field(default_factory=PaperSettings)


@checked
class RegistrationSettings:
    """All of them, as one value.

    Attributes:
        preset: the name these settings began from.
        descriptor: ``"dsir"`` (with detail channels) or ``"mind"``. DSIR is the more accurate between modalities, for
            twice the time; MIND-SSC is between phases of one CT (measured: Docs/measurements/solver.md).
        detail: share of MIND-SSC channels put beside a learned descriptor's, 0..1.
        spacing: mm of the finest lattice that descriptors are computed on; at least half of both images' voxels.
        voxels: the most that lattice may have; coarser spacing is used where it would have more.
        memory: MiB that the whole program may take, 0 for no limit; see :mod:`.memory` for what gives way.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        threads: CPU threads; 0: as many as there are processors that nobody else keeps busy.
        seed: of every random choice.
        deformable: whether the linear part is followed by a deformation; null lets the scans decide: it is made, and
            kept only if mutual information, which it was not fitted to, rises beyond its noise.
        same_person: true where both scans show one person (nobody grows between two scans: a scale is then warned of),
            false where they show two, null where it is not known.
        linear, discrete, descent: of the stages, in the order they run.
    """

    preset: str = "default"
    descriptor: str = "dsir"
    detail: Share = 0.9
    spacing: Positive = 2.0
    voxels: Count = 2_500_000
    memory: Whole = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: Whole = 0
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0
    deformable: bool | None = None
    same_person: bool | None = None
    linear: LinearSettings = field(default_factory=LinearSettings)
    discrete: DiscreteSettings = field(default_factory=DiscreteSettings)
    descent: DescentSettings = field(default_factory=DescentSettings)

    def to_json(self) -> dict[str, Any]:
        """Plain values, fit for ``json.dump``."""
        return asdict(self)

    def capturing(self, mm: float) -> RegistrationSettings:
        """With a discrete search that reaches up to ``mm``; its finer rounds reach no further than that."""
        reaches = (mm, *(min(mm, capture) for capture in self.discrete.captures[1:]))
        return replace(self, discrete=replace(self.discrete, captures=reaches))

    def stiffer(self, factor: float) -> RegistrationSettings:
        """With every level's bending and membrane ``factor`` times as stiff, or the paper's diffusion."""
        levels, paper = [], self.descent.paper
        for level in self.descent.levels:
            held = level.stiffness
            held = replace(held, bending=factor * held.bending, membrane=factor * held.membrane)
            levels.append(replace(level, stiffness=held))
        paper = replace(paper, diffusion=tuple(factor * weight for weight in paper.diffusion))
        return replace(self, descent=replace(self.descent, levels=tuple(levels), paper=paper))

    @staticmethod
    def from_json(values: dict[str, Any]) -> RegistrationSettings:
        """Read what :meth:`to_json` wrote; missing names keep their defaults.

        Raises:
            DsirError: a name that no setting has, or a value of the wrong kind.
        """
        return read_settings(RegistrationSettings, _without_retired(values))


RETIRED = {"initial_network"}
"""Settings that old reports hold and that no longer exist; read and left out."""


def _without_retired(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_retired(inner) for name, inner in value.items() if name not in RETIRED}
    return [_without_retired(inner) for inner in value] if isinstance(value, list | tuple) else value
