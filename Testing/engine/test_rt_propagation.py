"""Structures go where the transform says, and the verdict tells the truth about them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from dicom_made import ball, circle
from dsir.errors import DsirError
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.metrics.overlap import mask_score
from dsir.registration.findings import Finding
from dsir.shapes.stacking import Stack, stack
from dsir.shapes.structure import PointSet, Structure, StructureSet
from dsir.structures.measures import Measures, measure, overlap_aside
from dsir.structures.propagate import propagate
from dsir.structures.rigid import keep_rigid
from dsir.structures.segmentations import from_mask
from dsir.structures.transform_confidence import TransformConfidence
from dsir.structures.verdict import DICE, Light, judge
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import fold_report
from dsir.transforms.linear import Linear
from dsir.transforms.rigid_fit import rigid_fit
from dsir.warp.pullback import pull_back
from dsir.workflow.findings_beside import findings_beside
from grids import GRIDS, field_of, lattice, rotation, waves

pytestmark = pytest.mark.slow

FIXED = lattice((70, 66, 30), (1.2, 1.2, 3.0))
CENTRE = FIXED.centre
MOVING_GRIDS = {
    "axial 3 mm": lattice((80, 76, 36), (1.0, 1.0, 3.0)),
    "oblique 5 mm": lattice((80, 76, 24), (1.0, 1.0, 5.0), degrees=23),
    "oblique and left-handed": lattice((80, 76, 36), (1.0, 1.0, 3.0), degrees=-31, left_handed=True),
}


def voxels(grid: Lattice) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1))


def shifted(right: float) -> np.ndarray:
    """A point so many mm from the scan's centre."""
    return CENTRE + np.array([right, 0.0, 0.0])


def drawn_ball(grid: Lattice, centre=CENTRE, radius: float = 16.0, name: str = "GTV", number: int = 1) -> Structure:
    built = _stacked(grid, tuple(map(float, centre)), radius)
    return Structure(name, built.distance, built.lattice, number, (230, 60, 60))


@cache
def _stacked(grid: Lattice, centre: tuple[float, ...], radius: float) -> Stack:
    """A ball drawn once for all who ask of it."""
    return stack(ball(grid, np.array(centre), radius), grid)


def moved_ball(transform: Transform, grid: Lattice, centre=CENTRE, radius: float = 16.0) -> np.ndarray:
    moved = transform.transform_points(voxels(grid).reshape(-1, 3)).reshape(*grid.shape, 3)
    return np.linalg.norm(moved - centre, axis=-1) < radius


def wavy(amplitude: float = 5.0, period: float = 90.0) -> Transform:
    """A deformation of up to ``amplitude`` mm after 8 degrees and some millimetres of rigid motion."""
    turn = np.eye(4)
    turn[:3, :3] = rotation(8.0)
    turn[:3, 3] = CENTRE - turn[:3, :3] @ CENTRE + [4.0, -3.0, 2.0]
    field = field_of(FIXED.with_spacing(2.5), lambda p: waves(p, amplitude, period))
    return Transform((field, Linear(turn)))


def carry(structure: Structure, transform: Transform, moving: Lattice, fixed: Lattice = FIXED):
    return pull_back([structure], transform, moving, fixed)[0]


def figures(**changes) -> Measures:
    """Measures of a structure with which all is well."""
    well = Measures(10, 10, 1, 0, 1, 2, 0.5, 1, 0.9, 1, 1.1, 0, 0, 1, 1, 20)
    return replace(well, **changes)


@pytest.mark.parametrize("moving", MOVING_GRIDS.values(), ids=MOVING_GRIDS.keys())
def test_a_ball_through_a_known_deformation_has_a_surface_dice_above_098(moving):
    transform = wavy()
    carried = carry(drawn_ball(moving), transform, moving)
    grid = carried.structure.lattice
    truth = moved_ball(transform, grid)
    score = mask_score(truth, (carried.structure.distance > 0).numpy(), grid.spacing)
    assert score.surface_dice > 0.98 and score.dice > 0.96
    assert not carried.cut and carried.outside == 0.0


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_the_identity_keeps_volume_and_place(grid):
    mask = torch.from_numpy(np.linalg.norm(voxels(grid) - grid.centre, axis=-1) < 13.0)
    structure = from_mask(mask, grid, name="a", number=1)
    found = measure(carry(structure, Transform(), grid, grid), Transform(), grid)
    assert found.volume_after_ml == pytest.approx(found.volume_before_ml, rel=0.02)
    assert found.centroid_shift_mm < 0.1 and found.displacement_max_mm == 0 and found.jacobian_min == 1


def test_pixels_far_coarser_than_a_nerve_do_not_lose_it():
    moving = lattice((120, 120, 30), (0.7, 0.7, 2.0))
    coarse = lattice((22, 20, 24), (4.2, 4.2, 2.5))
    along = {k: [circle((60 + 0.8 * (k - 15), 60.0), 1.6, moving.spacing)] for k in range(5, 25)}
    built = stack(along, moving)
    nerve = Structure("optic nerve", built.distance, built.lattice, 1, (0, 200, 0))
    carried = carry(nerve, Transform(), moving, coarse)
    found = measure(carried, Transform(), coarse)
    assert found.pieces_after == 1
    assert found.volume_after_ml == pytest.approx(found.volume_before_ml, rel=0.15)
    light = judge(carried, found, slice_mm=6.0)
    assert light.light is Light.AMBER and "thinner" in light.reasons[0]


def test_a_sliver_between_two_thick_slices_is_put_on_the_nearest_and_flagged():
    moving, thick = lattice((60, 60, 60), (1.0, 1.0, 1.0)), lattice((60, 60, 8), (1.0, 1.0, 8.0))
    at = moving.to_index(thick.to_world(np.array([30.0, 30.0, 3.4])))
    built = stack({round(at[2]): [circle(at[:2], 6.0, moving.spacing)]}, moving)
    carried = carry(Structure("clip", built.distance, built.lattice, 1, (0, 0, 0)), Transform(), moving, thick)
    assert carried.rescued and not carried.structure.empty
    assert "nearest" in " ".join(judge(carried, measure(carried, Transform(), thick), slice_mm=8.0).reasons)


def test_what_leaves_the_field_of_view_is_cut_and_said():
    away = np.eye(4)
    away[0, 3] = -40.0  # in fixed space the ball lies 40 mm further to the right, at the scan's border
    transform = Transform((Linear(away),))
    moving = MOVING_GRIDS["axial 3 mm"]
    carried = carry(drawn_ball(moving), transform, moving)
    found = measure(carried, transform, FIXED)
    border = FIXED.corners()[:, 0].max() - (CENTRE[0] + 40.0)
    cap = 16.0 - border  # of a ball of radius 16 cut by a plane
    beyond = np.pi * cap**2 * (48.0 - cap) / 3 / (4 / 3 * np.pi * 16.0**3)
    assert found.outside_share == pytest.approx(beyond, abs=0.04)
    verdict = judge(carried, found, slice_mm=3.0)
    assert verdict.light >= Light.AMBER and "outside the fixed scan" in verdict.reasons[0]


def test_what_lies_wholly_outside_is_red_and_the_others_go_on():
    moving = MOVING_GRIDS["axial 3 mm"]
    source = StructureSet(moving, (drawn_ball(moving), drawn_ball(moving, shifted(24.0), 8.0, "node", 2)))
    away = np.eye(4)
    away[0, 3] = -60.0
    half = StructureSet(moving, (drawn_ball(moving, shifted(-22.0), 10.0, "left", 3), *source.structures))
    result = propagate(half, Transform((Linear(away),)), FIXED)
    assert [v.light for v in result.verdicts][1:] == [Light.RED, Light.RED]
    assert [s.name for s in result.structures] == ["left"]


def test_a_structure_at_the_moving_scans_border_is_flagged():
    moving = MOVING_GRIDS["axial 3 mm"]
    tube = {k: [circle((40.0, 38.0), 10.0, moving.spacing)] for k in range(0, 12)}
    built = stack(tube, moving)
    higher = lattice((80, 76, 44), (1.0, 1.0, 3.0))
    carried = carry(Structure("cord", built.distance, built.lattice, 1, (0, 0, 0)), Transform(), moving, higher)
    assert carried.cut
    assert "goes on in the fixed one" in " ".join(judge(carried, figures(), slice_mm=3.0).reasons)


@pytest.mark.parametrize(("up", "cut"), [(0.0, False), (1.5, False), (3.0, True)])
def test_what_the_fixed_scan_does_not_show_either_is_not_missing(up, cut):
    moving = MOVING_GRIDS["axial 3 mm"]
    built = stack({k: [circle((40.0, 38.0), 10.0, moving.spacing)] for k in range(0, 12)}, moving)
    cord = Structure("Cord", built.distance, built.lattice, 1, (0, 0, 0))
    raised = np.eye(4)
    raised[2, 3] = -up  # in fixed space it begins so many mm above the lower border
    assert carry(cord, Transform((Linear(raised),)), moving, moving).cut is cut


@pytest.mark.parametrize("mm", [0.0, 2.0, 6.0])
def test_a_ball_moved_aside_overlaps_itself_as_two_balls_do(mm):
    grid = lattice((60, 60, 60), (1.0, 1.0, 1.0))
    shape = from_mask(
        torch.from_numpy(np.linalg.norm(voxels(grid) - grid.centre, axis=-1) < 16), grid, name="a", number=1
    )
    apart = mm / 16
    assert overlap_aside(shape, mm) == pytest.approx(1 - 0.75 * apart + apart**3 / 16, abs=0.03)


def test_figures_of_a_known_motion_are_found():
    moving = MOVING_GRIDS["axial 3 mm"]
    grown = np.eye(4)
    grown[:3, :3] *= 1.1
    grown[:3, 3] = CENTRE - 1.1 * CENTRE + [3.0, 4.0, 0.0]
    transform = Transform((Linear(grown),))
    found = measure(carry(drawn_ball(moving), transform, moving), transform, FIXED)
    assert found.volume_after_ml == pytest.approx(found.volume_before_ml / 1.331, rel=0.02)
    assert found.jacobian_min == pytest.approx(1.331, abs=1e-3) and found.jacobian_max == pytest.approx(1.331, abs=1e-3)
    assert found.centroid_shift_mm == pytest.approx(5.0 / 1.1, abs=0.15)
    assert found.deformation_max_mm == pytest.approx(0.1 * 16.0 / 1.1, abs=0.15)


def test_the_rigid_fit_finds_a_rigid_motion():
    points = np.random.default_rng(0).normal(size=(50, 3)) * 20
    turned = points @ rotation(40.0).T + [5.0, -7.0, 11.0]
    assert np.abs(rigid_fit(points, turned).transform_points(points) - turned).max() < 1e-9


def test_a_rigid_structure_keeps_its_shape_and_nothing_folds():
    moving = MOVING_GRIDS["axial 3 mm"]
    transform, bone = wavy(6.0, 80.0), drawn_ball(moving, radius=12.0, name="bone")
    kept = keep_rigid([bone], transform, FIXED)
    before = measure(carry(bone, transform, moving), transform, FIXED)
    after = measure(carry(bone, kept.transform, moving), kept.transform, FIXED)
    assert before.deformation_max_mm > 2.0 and after.deformation_max_mm < 0.02
    assert after.jacobian_min == pytest.approx(1.0, abs=0.01) and after.jacobian_max == pytest.approx(1.0, abs=0.01)
    assert fold_report(kept.transform.parts[0]).folds == 0 and kept.smallest_jacobian > 0
    assert kept.given_up_mm["bone"] > 2.0
    far = FIXED.corners()  # the rest stays as it was
    assert np.abs(kept.transform.transform_points(far) - transform.transform_points(far)).max() < 0.2


def test_two_rigid_structures_move_each_by_itself():
    moving = MOVING_GRIDS["axial 3 mm"]
    bones = [drawn_ball(moving, shifted(s * 15.0), 9.0, name, n) for s, name, n in ((-1, "left", 1), (1, "right", 2))]
    kept = keep_rigid(bones, wavy(5.0, 90.0), FIXED)
    for bone in bones:
        assert measure(carry(bone, kept.transform, moving), kept.transform, FIXED).deformation_max_mm < 0.05


def test_a_rigid_structure_that_does_not_exist_is_named():
    moving = MOVING_GRIDS["axial 3 mm"]
    with pytest.raises(DsirError, match=r"no structure named femur.*there are GTV"):
        propagate(StructureSet(moving, (drawn_ball(moving),)), Transform(), FIXED, rigid=["femur"])


def test_points_of_interest_come_along():
    moving = MOVING_GRIDS["axial 3 mm"]
    transform = wavy()
    marks = PointSet("isocentre", CENTRE[None] + 3.0, 9, (0, 0, 0))
    result = propagate(StructureSet(moving, (), (marks,)), transform, FIXED)
    assert np.abs(transform.transform_points(result.point_sets[0].points) - marks.points).max() < 0.01


def test_marks_are_compared_in_their_order_and_by_the_nearest_where_their_number_differs():
    drawn = CENTRE + np.array([[0.0, 0, 0], [10, 0, 0], [20, 0, 0]])
    known = drawn[[1, 0, 2]] + [0.0, 3.0, 0.0]  # the first two told the other way round
    source = StructureSet(MOVING_GRIDS["axial 3 mm"], (), (PointSet("marks", drawn, 9, (0, 0, 0)),))
    for there, mean in ((known, (2 * np.hypot(10, 3) + 3) / 3), (known[:2], (3 + 3 + np.hypot(10, 3)) / 3)):
        reference = StructureSet(FIXED, (), (PointSet("marks", there, 9, (0, 0, 0)),))
        figures = propagate(source, Transform(), FIXED, reference=reference).verdicts[0].measures
        assert figures.surface_distance_mm == pytest.approx(mean, abs=0.01)
        assert mean < figures.hd95_mm <= np.hypot(10, 3) + 0.01


def test_reference_contours_are_found_by_name_and_scored():
    moving = MOVING_GRIDS["axial 3 mm"]
    reference = StructureSet(FIXED, (drawn_ball(FIXED, shifted(2.0), name="gtv "),))
    source = StructureSet(moving, (drawn_ball(moving), drawn_ball(moving, radius=8.0, name="node", number=2)))
    result = propagate(source, Transform(), FIXED, reference=reference)
    scored, unscored = (v.measures for v in result.verdicts)
    assert scored.surface_distance_mm == pytest.approx(1.0, abs=0.25)  # |2 cos| over a sphere, on average 1
    assert 0.85 < scored.dice < 0.95 and unscored.dice is None
    assert "no contours for node" in " ".join(result.remarks)


def test_confidence_inside_is_read_from_the_map():
    moving = MOVING_GRIDS["axial 3 mm"]
    half = torch.from_numpy((voxels(FIXED)[..., 0] > CENTRE[0]).astype(np.float32))
    sure = Image(torch.where(half > 0, 0.1, torch.nan), FIXED)
    result = propagate(
        StructureSet(moving, (drawn_ball(moving),)), Transform(), FIXED, confidence=TransformConfidence(sure)
    )
    assert result.verdicts[0].measures.confidence_mean == pytest.approx(0.1)  # where it says nothing it does not count
    assert result.verdicts[0].light is Light.RED and "bear" in result.verdicts[0].reasons[0]


def test_a_contour_that_the_images_would_have_elsewhere_is_not_green_however_sure_they_are():
    moving = MOVING_GRIDS["axial 3 mm"]
    sure = Image(torch.full(FIXED.shape, 0.99), FIXED)
    lights = []
    for away in (0.5, 3.0):
        confidence = TransformConfidence(sure, Image(torch.full(FIXED.shape, away), FIXED))
        (verdict,) = propagate(
            StructureSet(moving, (drawn_ball(moving),)), Transform(), FIXED, confidence=confidence
        ).verdicts
        assert verdict.measures.away_mm == pytest.approx(away)
        lights.append(verdict.light)
    assert lights == [Light.GREEN, Light.AMBER]


@pytest.mark.parametrize(
    ("change", "light", "words"),
    [
        ({}, Light.AMBER, "Only the transform was looked at"),
        ({"confidence_mean": 0.95}, Light.AMBER, "does not say how far off"),
        ({"confidence_mean": 0.9}, Light.AMBER, "only in part"),
        ({"confidence_mean": 0.4}, Light.AMBER, "only in part"),
        ({"confidence_mean": 0.1}, Light.RED, "do not bear the registration out"),
        ({"confidence_mean": 0.98, "away_mm": 0.5}, Light.GREEN, "no reference to compare"),
        ({"confidence_mean": 0.98, "away_mm": 0.5, "away_overlap": 0.8}, Light.AMBER, "Dice with itself there 0.80"),
        ({"confidence_mean": 0.98, "away_mm": 2.5, "away_overlap": 0.97}, Light.AMBER, "2.5 mm away"),
        ({"confidence_mean": 0.98, "away_mm": 2.5, "away_overlap": 0.4}, Light.RED, "2.5 mm away"),
        ({"dice": 0.95, "surface_distance_mm": 0.5}, Light.GREEN, "Agrees with the reference"),
        ({"dice": 0.95, "surface_distance_mm": 0.5, "confidence_mean": 0.1}, Light.GREEN, "Agrees with the reference"),
        ({"dice": 0.85}, Light.AMBER, "TG-132"),
        ({"dice": 0.7}, Light.RED, "Dice with the reference is 0.70"),
        ({"surface_distance_mm": 2.5}, Light.AMBER, "2.5 mm"),
        ({"folds": 3}, Light.RED, "folds inside it"),
        ({"volume_after_ml": 16.0}, Light.AMBER, "+60 %"),
        ({"jacobian_min": 0.1}, Light.RED, "squeezed"),
        ({"pieces_after": 2}, Light.AMBER, "2 pieces"),
        ({"volume_after_ml": 0.0, "outside_share": 1.0}, Light.RED, "outside the fixed scan"),
        ({"dice": 0.95, "surface_distance_mm": 0.5, "outside_share": 0.1}, Light.AMBER, "10 % of it lies outside"),
        ({"dice": 0.95, "surface_distance_mm": 0.5, "outside_share": 0.03}, Light.GREEN, "3 % of it lies outside"),
    ],
)
def test_the_light_and_its_reason_follow_the_worst_figure(change, light, words):
    moving = MOVING_GRIDS["axial 3 mm"]
    verdict = judge(carry(drawn_ball(moving), Transform(), moving), figures(**change), slice_mm=3.0)
    assert verdict.light is light and words in " ".join(verdict.reasons)


def test_no_contour_is_better_than_the_registration_that_carried_it_unless_a_reference_says_so():
    moving = MOVING_GRIDS["axial 3 mm"]
    carried, with_reference = carry(drawn_ball(moving), Transform(), moving), {"dice": 0.95, "surface_distance_mm": 0.5}
    for level, light in (("CHECK", Light.AMBER), ("FAIL", Light.RED)):
        doubts = [Finding("mirrored", level, "One of them is mirrored.", {})]
        blind = judge(carried, figures(confidence_mean=0.95), slice_mm=3.0, doubts=doubts)
        assert blind.light is light and blind.reasons[0] == "Of the registration: One of them is mirrored."
        assert judge(carried, figures(**with_reference), slice_mm=3.0, doubts=doubts).light is Light.GREEN


def test_what_a_registration_says_of_itself_is_found_beside_its_transform(tmp_path):
    reasons = [{"code": "blank", "level": "CHECK", "text": "Half of it is blank.", "values": {"share": 0.5}}]
    (tmp_path / "report.json").write_text(json.dumps({"verdict": {"level": "CHECK", "reasons": reasons}}))
    assert [f.to_json() for f in findings_beside(tmp_path / "transform.h5")] == reasons
    assert findings_beside(tmp_path / "another.tfm") == findings_beside(tmp_path / "none" / "transform.h5") == []
    (tmp_path / "report.json").write_text("[1, 2")
    assert findings_beside(tmp_path / "transform.h5") == []


def test_thresholds_turn_where_they_say():
    assert [DICE.light(v) for v in (0.91, 0.85, 0.79)] == [Light.GREEN, Light.AMBER, Light.RED]


def test_folds_inside_a_structure_are_counted():
    moving = MOVING_GRIDS["axial 3 mm"]
    folding = field_of(FIXED, lambda p: 9.0 * np.sin(2 * np.pi * p[..., :1] / 20.0) * np.array([1.0, 0, 0]))
    transform = Transform((DisplacementField(folding.vectors, FIXED),))
    carried = carry(drawn_ball(moving), transform, moving)
    found = measure(carried, transform, FIXED)
    assert found.folds > 0 and judge(carried, found, slice_mm=3.0).light is Light.RED
