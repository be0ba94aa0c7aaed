"""What the last levels of the default, those that place, are worth; and what else they could be matched by.

    python Testing/benchmarks/last_level.py --cases brain_t1_t2 head_t1 lung_ct --seed 1
    python Testing/benchmarks/last_level.py --place runs/place/weights.safetensors        # another place head beside it

Each pair is registered with the default preset (one thread) up to the first of them, which then starts from the same
field: not at all, by the descriptors of the levels before it, by MIND-SSC alone, and by the place head beside MIND-SSC,
as it ships. Each figure is followed by what the last level, by local correlation of the same, makes of it. Mean
end-point error in mm; on real pairs landmarks' error in mm, or Dice.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, REAL, build
from dsir.evaluation.cases import Case
from dsir.features.place_descriptor import PlaceOutput
from dsir.features.place_weights import read_place
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.progress import silent
from dsir.registration.boundary_fade import faded_at_boundary
from dsir.registration.descent import Level, descend
from dsir.registration.handed_on import FeaturePair, Start
from dsir.registration.leading_directions import projected
from dsir.registration.levels import descend_levels
from dsir.registration.local_correlation import correlated
from dsir.registration.placing import LevelFeatures
from dsir.registration.presets import preset
from dsir.registration.residual_weighing import residual_weights
from dsir.registration.stages import (
    align_linearly,
    describe_both,
    prepare,
    starting_field,
)
from dsir.registration.working_grid import FeatureMap
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from pairs_asked import asked, parser_of
from solver_parts import figure_of

CASES = ["brain_t1_t2", "head_t1", "torso_ct", "lung_contrast", "multiphase_ct"]

Maps = tuple[FeatureMap, FeatureMap]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0 also where there are no scans."""
    parser = parser_of(__doc__, [*KNOWN, *REAL], CASES)
    parser.add_argument("--place", type=Path, metavar="WEIGHTS", help="of another place head, for one more row")
    options = asked(parser, arguments)
    if options is None:
        return 0
    for name in options.cases:
        found = measure(build(name, options.data, seed=options.seed), options.place)
        said = (f"{part} " + " -> ".join(f"{f:.3f}" for f in figures) for part, figures in found.items())
        print(name, ", ".join(said), flush=True)
    return 0


@dataclass(frozen=True, eq=False)
class Before:
    """A pair as the last level finds it.

    Attributes:
        fixed, moving: the images; the moving one where all methods begin from.
        masks: (I, J, K) bool, their bodies.
        field: what the levels before it ended at.
        linear: fixed to moving, what comes after the field.
        level: the first that places.
        local: the last one, by local correlation.
        views: what it can be matched by.
    """

    case: Case
    fixed: Image
    moving: Image
    masks: tuple[torch.Tensor, torch.Tensor]
    field: DisplacementField
    linear: Linear
    level: Level
    local: Level
    views: LevelFeatures

    @property
    def placing(self) -> Maps:
        """Place vectors and MIND-SSC."""
        return self.views.placing

    def error(self, field: DisplacementField) -> float:
        """See :func:`error`."""
        return error(self.case, field, self.linear, self.views.features)


def before_last(case: Case) -> Before:
    """Register up to the first level that places."""
    moving = case.moving
    if case.start is not None:  # a shift that all methods begin from
        affine = moving.lattice.affine.copy()
        affine[:3, 3] -= case.start
        moving = Image(moving.data, Lattice(moving.lattice.shape, affine))
    settings = preset("default", device="cpu", threads=1)
    *levels, placing, local = settings.descent.levels
    before = replace(settings, descent=replace(settings.descent, levels=tuple(levels)))
    prepared, start = prepare(case.fixed, moving, None, None, settings, silent), Start()
    linear = Linear(align_linearly(prepared, start, silent).matrix)
    features = describe_both(prepared, linear, start, silent)
    begun = starting_field(features, start, prepared.settings, silent).field
    views = LevelFeatures(prepared, features)
    field = descend_levels(views, begun, before, None, silent)
    masks = prepared.fixed_mask, prepared.moving_mask
    return Before(case, case.fixed, moving, masks, field, linear, placing, local, views)


def measure(case: Case, place: Path | None) -> dict[str, tuple[float, ...]]:
    """Name of the levels' descriptor to the errors after each of them."""
    with torch.no_grad():
        state = before_last(case)
        pairs: dict[str, Maps] = {
            "the same": state.views.whole,
            "MIND-SSC": state.views.detail(),
            "place head and MIND-SSC": state.placing,
        }
        if place is not None:
            pairs[str(place)] = with_place(state.views, place).placing
        found: dict[str, tuple[float, ...]] = {"none": (state.error(state.field),)}
        for name, pair in pairs.items():
            placed = again(state.field, *pair, state.level)
            found[name] = state.error(placed), state.error(by_correlation(placed, *pair, state.local))
        return found


def with_place(views: LevelFeatures, path: Path) -> LevelFeatures:
    """The same images, by another place head."""
    find, others = views.prepared.descriptor.first, LevelFeatures(views.prepared, views.features)
    others.place = PlaceOutput(read_place(path), find.device, half=find.half)
    return others


def again(field: DisplacementField, fixed: FeatureMap, moving: FeatureMap, level: Level) -> DisplacementField:
    """The first level that places, its residuals weighed."""
    u = field.on(fixed.lattice).to_index()
    pair = projected(fixed, moving, residual_weights(fixed, moving, u, level.robust))
    return DisplacementField.from_index(descend(*pair, u, level)[0], fixed.lattice)


def by_correlation(field: DisplacementField, fixed: FeatureMap, moving: FeatureMap, level: Level) -> DisplacementField:
    """The last level, by local correlation."""
    u = field.on(fixed.lattice).to_index()
    pair = correlated(fixed, moving, level.local)
    return DisplacementField.from_index(descend(*pair, u, level)[0], fixed.lattice)


def error(case: Case, field: DisplacementField, linear: Linear, features: FeaturePair) -> float:
    """mm, of the field as it is handed over."""
    faded = faded_at_boundary(field, spacing=max(2 * float(features.lattice.spacing[0]), 3.0))
    return figure_of(case, Transform((faded, linear)))


if __name__ == "__main__":
    sys.exit(main())
