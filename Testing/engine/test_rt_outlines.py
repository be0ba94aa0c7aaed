"""What several outlines on one slice bound together: golden cases, right and gone wrong."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_made import circle, make_rtstruct, make_series
from dsir.dicom.series import read_series
from dsir.geometry.lattice import Lattice
from dsir.rt.structures_in import read_rtstruct
from dsir.shapes import polygons
from dsir.shapes.contours import keyholes
from dsir.shapes.polygons import region
from dsir.structures.measures import volume
from pydicom.dataset import Dataset

pytestmark = pytest.mark.slow

ONE = np.ones(2)
AXIAL = Lattice((64, 60, 20), np.array([[-1.0, 0, 0, 30], [0, -1.0, 0, 40], [0, 0, 3.0, -20], [0, 0, 0, 1]]))


def square(low: float, high: float, *, across: tuple[float, float] | None = None) -> np.ndarray:
    """Corners from (low, low) to (high, high), or with other limits along j."""
    bottom, top = across or (low, high)
    return np.array([[low, bottom], [high, bottom], [high, top], [low, top]], dtype=float)


def disc(radius: float = 12.0, centre: tuple[float, float] = (30.0, 30.0), count: int = 720) -> np.ndarray:
    return circle(centre, radius, ONE, count)


BIG, HOLE, ISLAND = square(0, 20), square(5, 15), square(8, 12)
FIGURE_OF_EIGHT = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], dtype=float)
HOLE_AT_THE_RIM = np.array([[0, 0], [20, 0], [20, 20], [10, 20], [14, 12], [6, 12], [10, 20], [0, 20]], dtype=float)

GOLDEN = {
    "one": ([BIG], 400),
    "one, the other way round": ([BIG[::-1]], 400),
    "closed by its first point": ([np.vstack([BIG, BIG[:1]])], 400),
    "a hole": ([BIG, HOLE], 300),
    "a hole before its outline": ([HOLE, BIG], 300),
    "a hole in the other sense": ([BIG, HOLE[::-1]], 300),
    "an island in a hole": ([ISLAND, BIG, HOLE], 316),
    "two apart": ([BIG, square(30, 40)], 500),
    "two with a common edge": ([BIG, square(20, 40, across=(0, 20))], 800),
    "two with a common corner": ([BIG, square(20, 40)], 800),
    "twice": ([BIG, BIG], 400),
    "twice, reversed": ([BIG, BIG[::-1]], 400),
    "twice, from another corner": ([BIG, np.roll(BIG, 2, axis=0)], 400),
    "twice with more points": ([disc(count=720), disc(count=720)[::2]], np.pi * 144),
    "twice, moved by a tenth": ([BIG, BIG + 0.1], 400),
    "three times": ([BIG, BIG[::-1], BIG], 400),
    "a ring twice": ([BIG, HOLE, BIG, HOLE], 300),
    "overlapping": ([BIG, square(10, 30)], 700),
    "three in a chain": ([BIG, square(10, 30), square(25, 45)], 1075),
    "overlapping, with a hole in what they share": ([BIG, square(10, 30), square(12, 18)], 664),
    "a figure of eight": ([FIGURE_OF_EIGHT], 50),
    "a hole that touches the rim": ([HOLE_AT_THE_RIM], 400 - 32),
    "a spike of no width": ([np.vstack([BIG, [[0, 10], [-9, 10], [0, 10]]])], 400),
    "a line and a point": ([BIG, np.array([[1.0, 1], [9, 9], [1, 1]]), np.array([[3.0, 3.0]] * 4)], 400),
    "nothing": ([], 0),
}


@pytest.mark.parametrize(("outlines", "area"), GOLDEN.values(), ids=GOLDEN)
def test_the_area_that_outlines_bound(outlines, area):
    found = region(outlines)
    assert found.shape.area == pytest.approx(area, rel=1e-3, abs=1e-9)
    assert found.shape.is_valid
    inside = polygons.inside(found.shape, (64, 64))
    assert abs(inside.sum() - area) <= 2 * found.shape.length + 1


@pytest.mark.parametrize("turned", [False, True], ids=["hole the other way round", "hole the same way round"])
def test_a_keyhole_is_its_outline_with_a_hole_and_its_channel_no_border(turned):
    rings = [disc(14.0), disc(6.0)[::-1]]
    (joined,) = keyholes(rings)
    if turned:  # some writers run through the hole in the outline's own sense
        outer, hole = disc(14.0), disc(6.0)
        joined = np.vstack([outer, outer[:1], hole, hole[:1], outer[:1]])
    plain, found = region(rings), region([joined])
    assert found.shape.area == pytest.approx(plain.shape.area, rel=1e-6) and found.doubled == 0
    size = (61, 61)
    distance = polygons.signed_distance(found.shape, size, ONE, 8.0)
    assert np.abs(distance - polygons.signed_distance(plain.shape, size, ONE, 8.0)).max() < 0.45
    assert region([joined, joined]).shape.area == pytest.approx(plain.shape.area, rel=1e-6)


def test_xor_outlines_take_from_each_other_what_they_share():
    assert region([BIG, HOLE], xor=True).shape.area == pytest.approx(300)
    assert region([BIG, square(10, 30)], xor=True).shape.area == pytest.approx(600)
    assert region([BIG, BIG], xor=True).shape.area == pytest.approx(400)  # nobody draws a structure to erase it


def test_what_was_done_with_outlines_is_counted():
    found = region([BIG, BIG, BIG[::-1], square(10, 30)])
    assert (found.doubled, found.overlapping) == (2, 2)
    assert region([BIG, HOLE]).hollow == pytest.approx(0.25)
    assert region([BIG, square(1, 19)]).hollow == pytest.approx(0.81)
    assert region([BIG]).hollow == 0


def ml(structure) -> float:
    return volume(structure)[0]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Gives a structure set from outlines by slice."""

    def made(rois, kind="CLOSED_PLANAR"):
        folder = tmp_path_factory.mktemp("rt")
        series = read_series(make_series(folder / "ct", AXIAL))
        make_rtstruct(folder / "rs.dcm", AXIAL, rois, frame=series.frame_of_reference)
        return read_rtstruct(folder / "rs.dcm", series)

    return made


FULL = np.pi * 1.2**2 * 3.0
"""ml of a disc of 12 mm over ten slices of 3 mm."""


def test_doubled_outlines_count_once_and_are_said(read):
    once, again = disc(), np.roll(disc()[::-1], 77, axis=0)
    rois = {
        "all": {k: [once, again] for k in range(5, 15)},
        "two": {k: [once, again] if k in (7, 8) else [once] for k in range(5, 15)},
        "off": {k: [once, once + 0.15] for k in range(5, 15)},
        "plain": {k: [once] for k in range(5, 15)},
    }
    found = {s.name: s for s in read(rois).structures}
    for name, count in {"all": 10, "two": 2, "off": 10, "plain": 0}.items():
        assert ml(found[name]) == pytest.approx(FULL, rel=0.03), name
        assert any("drawn twice" in r and str(count) in r for r in found[name].remarks) == (count > 0), name


def test_an_overlap_is_united_and_named_and_a_partial_loss_is_said(read):
    rois = {
        "pair": {k: [disc(), disc(centre=(40.0, 30.0))] for k in range(5, 15)},
        "shell": {k: [disc(12.0), disc(10.8)] for k in range(5, 15)},
        "wall": {k: [disc(12.0), disc(6.0)] for k in range(5, 15)},
    }
    found = {s.name: s for s in read(rois).structures}
    assert ml(found["pair"]) == pytest.approx(region([disc(), disc(centre=(40.0, 30.0))]).shape.area * 0.03, rel=0.03)
    assert "On 10 slices outlines of pair overlap" in " ".join(found["pair"].remarks)
    assert "taken as holes; they take 81 %" in " ".join(found["shell"].remarks)
    assert ml(found["wall"]) == pytest.approx(FULL * 0.75, rel=0.03) and not found["wall"].remarks


def test_outlines_that_share_a_slice_by_rounding_are_all_kept(read):
    left, right = disc(centre=(15.0, 30.0)), disc(centre=(45.0, 30.0))
    rois = {"kidneys": {k + d: [p] for k in range(5, 15) for d, p in ((-0.03, left), (0.03, right))}}
    (kidneys,) = read(rois).structures
    assert ml(kidneys) == pytest.approx(2 * FULL, rel=0.03)


def test_a_backslash_in_a_name_stays(read):
    (left,) = read({"PTV\\boost": {k: [disc()] for k in range(5, 15)}}).structures
    assert left.name == "PTV\\boost"


CIRCLE = circle((30.0, 28.0), 9.0, np.ones(2), 120)


@pytest.mark.parametrize(
    "drawn",
    [np.vstack([CIRCLE, CIRCLE + 0.05]), np.vstack([CIRCLE, circle((30.0, 28.0), 9.3, np.ones(2), 120)[:60]])],
    ids=["twice round", "once and a half"],
)
def test_an_outline_that_goes_on_round_its_own_border_is_no_hole(drawn):
    assert region([drawn]).shape.area == pytest.approx(np.pi * 81, rel=0.05)


@pytest.mark.parametrize("sense", [1, -1])
def test_a_keyhole_stays_one_in_whatever_sense_its_hole_runs(sense):
    outer = np.array([[0, 0], [20, 0], [20, 20], [0, 20], [0, 0]], float)
    inner = np.array([[5, 5], [15, 5], [15, 15], [5, 15], [5, 5]], float)[::sense]
    assert region([np.vstack([outer, inner])]).shape.area == pytest.approx(300)


def test_contours_of_one_structure_in_two_items_belong_together(tmp_path):
    grid = Lattice((40, 36, 12), np.diag([-1.0, -1.0, 3.0, 1.0]))
    series = read_series(make_series(tmp_path / "ct", grid, frame="1.2"))
    dataset = make_rtstruct(tmp_path / "rs.dcm", grid, {"G": {k: [CIRCLE / 2] for k in range(2, 10)}}, frame="1.2")
    whole, _ = volume(read_rtstruct(tmp_path / "rs.dcm", series).structures[0])
    (item,) = dataset.ROIContourSequence
    contours = list(item.ContourSequence)
    rest = Dataset()
    rest.ReferencedROINumber, rest.ContourSequence, item.ContourSequence = 1, contours[4:], contours[:4]
    dataset.ROIContourSequence.append(rest)
    dataset.save_as(tmp_path / "rs.dcm")
    assert volume(read_rtstruct(tmp_path / "rs.dcm", series).structures[0])[0] == pytest.approx(whole)


@pytest.mark.parametrize("slices", [(2, 3, 17), (5, 6, 15), (1, 17, 18)])
def test_a_slice_drawn_far_from_few_others_does_not_thicken_them(read, slices):
    """Half a slice beyond the last outline is as far as a shape goes, whatever gap lies behind it."""
    (found,) = read({"A": {k: [disc()] for k in slices}}).structures
    assert ml(found) == pytest.approx(len(slices) * FULL / 10, rel=0.03)
