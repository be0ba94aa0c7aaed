"""Contours go into shapes and come back where they were; holes, parts and overlaps with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from dicom_made import ball, circle, make_rtstruct, make_series
from dsir.dicom.series import read_series
from dsir.geometry.lattice import Lattice
from dsir.rt.structures_in import read_rtstruct
from dsir.rt.structures_out import write_rtstruct
from dsir.shapes import polygons
from dsir.shapes.contours import outlines
from dsir.structures.compare import sample_on
from dsir.structures.measures import pieces, volume
from dsir.structures.segmentations import from_mask
from dsir.transforms.composite import Transform
from dsir.warp.pullback import pull_back
from grids import lattice
from scipy.spatial import cKDTree

pytestmark = pytest.mark.slow

AXIAL = Lattice((64, 60, 20), np.array([[-1.0, 0, 0, 30], [0, -1.0, 0, 40], [0, 0, 3.0, -20], [0, 0, 0, 1]]))
GRIDS = {
    "axial": AXIAL,
    "oblique": lattice((64, 60, 20), (1.0, 1.0, 3.0), degrees=17),
    "oblique 5 mm slices": lattice((64, 60, 14), (1.25, 1.25, 5.0), degrees=-31),
}


def scene(folder: Path, grid: Lattice, rois, **options):
    series = read_series(make_series(folder / "ct", grid))
    make_rtstruct(folder / "rs.dcm", grid, rois, frame=series.frame_of_reference, **options)
    return series, folder / "rs.dcm"


def there_and_back(folder: Path, grid: Lattice, rois, **options):
    """Read, carry by the identity, write, read again: the source and the returned structures."""
    series, file = scene(folder, grid, rois)
    source = read_rtstruct(file, series)
    carried = pull_back(source.structures, Transform(), series.lattice, series.lattice)
    write_rtstruct(folder / "back.dcm", [c.structure for c in carried], series, **options)
    return source, read_rtstruct(folder / "back.dcm", series), series


def drawn(file: Path, roi: int = 0) -> dict[int, np.ndarray]:
    """Slice (mm, whole) to densely sampled points of its contours (N, 3), LPS."""
    found: dict[int, list[np.ndarray]] = {}
    for item in pydicom.dcmread(file).ROIContourSequence[roi].ContourSequence:
        a = np.array(item.ContourData, dtype=float).reshape(-1, 3)
        between = np.linspace(0, 1, 20, endpoint=False)[None, :, None]
        dense = (a[:, None] + between * (np.roll(a, -1, axis=0) - a)[:, None]).reshape(-1, 3)
        found.setdefault(round(float(a[:, 2].mean())), []).append(dense)
    return {k: np.concatenate(v) for k, v in found.items()}


def test_the_distance_is_exact_near_a_circle_and_anisotropic_pixels_count_in_mm():
    spacing = np.array([0.8, 1.3])
    ring = polygons.region([circle((30.0, 20.0), 12.0, spacing, 2000)]).shape
    distance = polygons.signed_distance(ring, (60, 40), spacing, 8.0)
    index = np.stack(np.meshgrid(np.arange(60), np.arange(40), indexing="ij"), -1)
    truth = 12.0 - np.linalg.norm((index - [30.0, 20.0]) * spacing, axis=-1)
    assert np.abs(distance - np.clip(truth, -8, 8))[np.abs(truth) < 2].max() < 0.01
    assert np.abs(distance - np.clip(truth, -8, 8)).max() < 0.65  # half a pixel, further off


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_a_round_trip_through_dicom_moves_no_outline_by_a_quarter_pixel(grid, tmp_path):
    there_and_back(tmp_path, grid, {"GTV": ball(grid, grid.centre + np.array([2.2, -1.7, 0.9]), 17.0)})
    before, after = drawn(tmp_path / "rs.dcm"), drawn(tmp_path / "back.dcm")
    a, b = np.concatenate(list(before.values())), np.concatenate(list(after.values()))
    error = max(cKDTree(a).query(b)[0].max(), cKDTree(b).query(a)[0].max())
    assert error < 0.25 * grid.spacing[0]


def test_the_volume_of_a_ball_is_that_of_a_ball(tmp_path):
    source, back, _ = there_and_back(tmp_path, AXIAL, {"GTV": ball(AXIAL, AXIAL.centre, 18.0)})
    truth = 4 / 3 * np.pi * 1.8**3
    for structures in (source, back):
        millilitres, centroid = volume(structures.structures[0])
        assert millilitres == pytest.approx(truth, rel=0.02)
        assert np.linalg.norm(centroid - AXIAL.centre) < 0.1


@pytest.mark.parametrize("holes", ["inner", "keyhole", "xor"])
def test_a_hole_stays_a_hole_however_it_is_written(holes, tmp_path):
    ring = {
        k: [circle((32.0, 30.0), 18.0, AXIAL.spacing), circle((33.0, 29.0), 8.0, AXIAL.spacing)] for k in range(4, 15)
    }
    source, back, _ = there_and_back(tmp_path, AXIAL, {"bladder wall": ring}, holes=holes)
    a, b = (volume(s.structures[0])[0] for s in (source, back))
    assert a == pytest.approx(np.pi * (1.8**2 - 0.8**2) * 3.3, rel=0.02) and b == pytest.approx(a, rel=0.01)
    items = pydicom.dcmread(tmp_path / "back.dcm").ROIContourSequence[0].ContourSequence
    assert len(items) == (11 if holes == "keyhole" else 22)
    assert {i.ContourGeometricType for i in items} == {"CLOSEDPLANAR_XOR" if holes == "xor" else "CLOSED_PLANAR"}


def test_several_parts_on_a_slice_and_an_island_in_a_hole_stay_apart(tmp_path):
    rings = [
        circle((18.0, 30.0), 13.0, AXIAL.spacing),
        circle((18.0, 30.0), 8.0, AXIAL.spacing),
        circle((18.0, 30.0), 3.0, AXIAL.spacing),
        circle((48.0, 30.0), 7.0, AXIAL.spacing),
    ]
    source, back, _ = there_and_back(tmp_path, AXIAL, {"nodes": dict.fromkeys(range(5, 12), rings)})
    assert pieces(source.structures[0]) == pieces(back.structures[0]) == 3


def test_structures_that_overlap_do_not_know_of_each_other(tmp_path):
    rois = {"GTV": ball(AXIAL, AXIAL.centre, 10.0), "PTV": ball(AXIAL, AXIAL.centre, 20.0)}
    _, back, _ = there_and_back(tmp_path, AXIAL, rois)
    volumes = [volume(s)[0] for s in back.structures]
    assert volumes == pytest.approx([4 / 3 * np.pi, 4 / 3 * np.pi * 8], rel=0.03)


def test_outlines_do_not_cross_themselves_and_holes_run_the_other_way(tmp_path):
    rings = {k: [circle((32.0, 30.0), 18.0, AXIAL.spacing), circle((32.0, 30.0), 17.2, AXIAL.spacing)] for k in (8, 9)}
    source, _, _ = there_and_back(tmp_path, AXIAL, {"skin": rings})
    found = outlines(source.structures[0].distance)
    for lines in found.values():
        assert sorted(np.sign(polygons.area(line)) for line in lines) == [-1.0, 1.0]
        assert not any(crosses_itself(line) for line in lines)


def test_contours_on_every_second_slice_are_filled_and_a_real_gap_is_kept(tmp_path):
    whole = ball(AXIAL, AXIAL.centre, 24.0)
    every_second = {k: v for k, v in whole.items() if k % 2 == 0}
    apart = {k: [circle((32.0, 30.0), 9.0, AXIAL.spacing)] for k in (2, 3, 4, 13, 14, 15)}
    series, file = scene(tmp_path, AXIAL, {"sparse": every_second, "two": apart})
    sparse, two = read_rtstruct(file, series).structures
    assert volume(sparse)[0] == pytest.approx(4 / 3 * np.pi * 2.4**3, rel=0.04)
    assert "filled from the neighbours" in sparse.remarks[0]
    assert pieces(two) == 2 and volume(two)[0] == pytest.approx(np.pi * 0.9**2 * 1.8, rel=0.02)


def test_names_colours_and_roles_are_kept_and_the_file_belongs_to_the_fixed_series(tmp_path):
    names = {"Hüftkopf_rechts": ball(AXIAL, AXIAL.centre, 12.0), "脊髄": ball(AXIAL, AXIAL.centre, 6.0)}
    _, _, series = there_and_back(tmp_path, AXIAL, names)
    source, written = pydicom.dcmread(tmp_path / "rs.dcm"), pydicom.dcmread(tmp_path / "back.dcm")
    assert [r.ROIName for r in written.StructureSetROISequence] == list(names)
    assert [list(c.ROIDisplayColor) for c in written.ROIContourSequence] == [[10, 200, 30], [20, 200, 30]]
    assert {o.RTROIInterpretedType for o in written.RTROIObservationsSequence} == {"ORGAN"}
    assert {str(o.ROIInterpreter) for o in written.RTROIObservationsSequence} == {""}
    assert written.FrameOfReferenceUID == series.frame_of_reference
    assert written.StudyInstanceUID == series.header.StudyInstanceUID
    assert written.SOPInstanceUID not in (source.SOPInstanceUID, series.header.SOPInstanceUID)
    assert written.PatientName == series.header.PatientName
    places = {s.sop_instance: k for k, s in series.slices.items()}
    for item in written.ROIContourSequence[0].ContourSequence:
        points = np.array(item.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        k = places[item.ContourImageSequence[0].ReferencedSOPInstanceUID]
        assert np.abs(series.lattice.to_index(points)[:, 2] - k).max() < 1e-3


def test_a_pseudonym_stands_for_the_patient(tmp_path):
    there_and_back(tmp_path, AXIAL, {"GTV": ball(AXIAL, AXIAL.centre, 12.0)}, pseudonym="Case 7")
    assert b"Secret" not in (tmp_path / "back.dcm").read_bytes()
    assert pydicom.dcmread(tmp_path / "back.dcm").PatientID == "Case 7"


def test_reading_a_shape_on_its_own_grid_gives_its_voxels_back(tmp_path):
    series, file = scene(tmp_path, AXIAL, {"GTV": ball(AXIAL, AXIAL.centre, 15.0)})
    structure = read_rtstruct(file, series).structures[0]
    index = np.stack(np.meshgrid(*(np.arange(n) for n in AXIAL.shape), indexing="ij"), -1)
    truth = np.linalg.norm(AXIAL.to_world(index) - AXIAL.centre, axis=-1) < 15.0
    found = (sample_on(structure, AXIAL) > 0).numpy()
    assert 2 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.97


def crosses_itself(line: np.ndarray) -> bool:
    """Whether any two edges that are not neighbours cross (brute force)."""
    a, b = line, np.roll(line, -1, axis=0)

    def side(p, q, r):
        return np.sign(
            (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
        )

    p, q, r, s = a[:, None], b[:, None], a[None], b[None]
    crossing = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)
    return bool(crossing.any())


def test_a_speck_that_comes_off_is_no_piece():
    grid = lattice((40, 40, 40), (1.0, 1.0, 1.0))
    mask = torch.zeros(grid.shape, dtype=torch.bool)
    mask[5:20, 5:20, 5:20] = True
    mask[30, 30, 30] = True
    assert pieces(from_mask(mask, grid, name="a", number=1)) == 1
    mask[28:33, 28:33, 28:33] = True
    assert pieces(from_mask(mask, grid, name="a", number=1)) == 2
