"""Contours that a clinic drew, and other programs' opinion of what we write; skipped where data or programs lack."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_made import ball, circle, make_rtstruct, make_series
from dsir.dicom.series import read_series
from dsir.geometry.lattice import Lattice
from dsir.rt.structures_in import read_rtstruct
from dsir.rt.structures_out import write_rtstruct
from dsir.shapes.structure import PointSet
from dsir.transforms.composite import Transform
from dsir.warp.pullback import pull_back

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT.parent / "shared" / "data" / "rt"
GRID = Lattice((64, 60, 20), np.array([[-1.0, 0, 0, 30], [0, -1.0, 0, 40], [0, 0, 3.0, -20], [0, 0, 0, 1]]))

real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no clinical RTSTRUCTs in {DATA}")


def needs(program: str):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture(params=["inner", "keyhole"])
def written(request, tmp_path) -> Path:
    """A structure set with a hole, a non-ASCII name and a point, beside its series."""
    series = read_series(make_series(tmp_path / "ct", GRID))
    ring = {
        k: [circle((32.0, 30.0), 18.0, GRID.spacing), circle((33.0, 29.0), 8.0, GRID.spacing)] for k in range(4, 15)
    }
    rois = {"bladder wall": ring, "Hüfte": ball(GRID, GRID.centre, 9.0)}
    make_rtstruct(tmp_path / "rs.dcm", GRID, rois, frame=series.frame_of_reference)
    source = read_rtstruct(tmp_path / "rs.dcm", series)
    carried = pull_back(source.structures, Transform(), series.lattice, series.lattice)
    mark = PointSet("iso", GRID.centre[None], 9, (255, 255, 0))
    write_rtstruct(tmp_path / "out.dcm", [c.structure for c in carried], series, point_sets=[mark], holes=request.param)
    return tmp_path / "out.dcm"


@real
@pytest.mark.parametrize("patient", ["pat_1", "pat_2", "pat_3"])
def test_a_clinical_contour_comes_back_within_half_a_pixel_and_follows_a_known_deformation(patient):
    sys.path.insert(0, str(PROJECT / "Testing" / "benchmarks"))
    from propagation_known import round_trip

    found = round_trip(DATA / patient)
    assert found.added_px < 0.5 and found.solid_px < 0.5 and found.p99_px < 0.5 and found.mean_px < 0.1
    assert found.surface_dice > 0.98


@needs("dciodvfy")
def test_dicom3tools_finds_no_error(written):
    said = subprocess.run(["dciodvfy", str(written)], capture_output=True, text=True, check=False).stderr
    assert "RTStructureSet" in said and "Error" not in said


@needs("plastimatch")
def test_plastimatch_sees_the_same_volume(written, tmp_path):
    import SimpleITK as sitk

    command = ["plastimatch", "convert", "--input", str(written), "--referenced-ct", str(tmp_path / "ct")]
    command += ["--output-prefix", str(tmp_path / "masks"), "--prefix-format", "mha"]
    if len(pydicom.dcmread(written).ROIContourSequence[0].ContourSequence) > 11:
        command.append("--xor-contours")  # inner contours are filled otherwise
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    masks = {p.stem: sitk.ReadImage(str(p)) for p in (tmp_path / "masks").glob("*.mha")}
    assert done.returncode == 0 and len(masks) >= 2
    wall = masks["bladder_wall" if "bladder_wall" in masks else "bladder wall"]
    volume = int((sitk.GetArrayFromImage(wall) > 0).sum())
    truth = np.pi * (18.0**2 - 8.0**2) * 33.0 / 3.0  # in voxels of 3 mm3
    assert volume == pytest.approx(truth, rel=0.03)
