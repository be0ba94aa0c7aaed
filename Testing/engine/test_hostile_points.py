"""Tables of points that can be read in two ways, or lie where no patient has anything: refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dsir.errors import DsirError
from dsir.files.landmarks import read_landmarks
from dsir.files.meshes import read_mesh
from dsir.files.points import read_points
from dsir.similarity.store import read_store
from dsir.structures.segmentations import read_segmentation
from dsir.workflow.given_transform import read_given_transform


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y,z\n1,5,2,5,3,5\n", "more cells than its first; are there commas within numbers"),
        ("1,5,2,5,3,5\n", "more than three numbers a line"),
        ("x,x,y,z\n1,2,3,4\n", "a column of coordinates twice"),
        ("r,a,s,x,y,z\n1,2,3,4,5,6\n", "a column of coordinates twice"),
        ("# space: LPS\nx,y,z\n1,2,3\n", "says LPS in a comment"),
        ("# CoordinateSystem = LPS\n1,2,3\n", "says LPS in a comment"),
    ],
)
def test_tables_of_points_that_can_be_read_in_two_ways_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DsirError, match=said):
        read_points(tmp_path / "p.csv")
    for said in ("# RAS\nx,y,z", "# LPS turned to RAS\nx,y,z", "# LPS\nr,a,s"):
        (tmp_path / "p.csv").write_text(f"{said}\n1,2,3\n")
        assert read_points(tmp_path / "p.csv").points.tolist() == [[1.0, 2.0, 3.0]]
    (tmp_path / "p.csv").write_text("x,y,z\n1,2,3,\n")  # a comma at the end is none
    assert read_points(tmp_path / "p.csv").points.tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize("position", ["5", "[1, 2]", "[[1, 2, 3]]", '"here"'])
def test_a_position_is_three_numbers(position: str, tmp_path: Path) -> None:
    point = '{"markups": [{"type": "Fiducial", "controlPoints": [{"position": %s}]}]}'
    (tmp_path / "p.mrk.json").write_text(point % position)
    with pytest.raises(DsirError, match="is not a Slicer markups file"):
        read_points(tmp_path / "p.mrk.json")
    (tmp_path / "p.mrk.json").write_text("[" * 100_000)
    with pytest.raises(DsirError, match="is not a Slicer markups file"):
        read_points(tmp_path / "p.mrk.json")


@pytest.mark.parametrize(("system", "sign"), [("= LPS", -1), ("= 1", -1), ("= RAS", 1), ("= 0", 1), (None, 1)])
def test_slicers_older_fiducials_say_their_coordinates(system: str | None, sign: int, tmp_path: Path) -> None:
    head = ["# Markups fiducial file version = 4.11", f"# CoordinateSystem {system}", "# columns = id,x,y,z,ow"]
    lines = [head[0], *([head[1]] if system else []), head[2], '1,10,20,30,0,0,0,1,1,1,0,"F, one",,', ""]
    (tmp_path / "p.fcsv").write_text("\n".join(lines))
    file = read_points(tmp_path / "p.fcsv")
    assert file.points.tolist() == [[sign * 10.0, sign * 20.0, 30.0]]
    file.write(tmp_path / "q.fcsv", file.points + np.array([1.0, 2.0, 3.0]))
    assert read_points(tmp_path / "q.fcsv").points.tolist() == [[sign * 10.0 + 1, sign * 20.0 + 2, 33.0]]
    assert '"F, one"' in (tmp_path / "q.fcsv").read_text()
    (tmp_path / "p.fcsv").write_text("\n".join(lines).replace("10,20", "10,here"))
    with pytest.raises(DsirError, match="without three numbers"):
        read_points(tmp_path / "p.fcsv")


@pytest.mark.parametrize(("line", "said"), [("1,5,2,3,4,5,6", "more cells than its heading"),
                                            ("1e9,2,3,4,5,6", "more than a kilometre away")])  # fmt: skip
def test_so_are_pairs(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"fx,fy,fz,mx,my,mz\n{line}\n")
    with pytest.raises(DsirError, match=said):
        read_landmarks(tmp_path / "pairs.csv")


def test_coordinates_that_no_patient_has_are_refused(tmp_path: Path) -> None:
    points, matrix, field = tmp_path / "far.csv", tmp_path / "far.txt", tmp_path / "far.nii.gz"
    points.write_text("x,y,z\n1,2,3\n1e30,2,3\n")
    matrix.write_text("1 0 0 1e300\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    vectors = np.zeros((6, 6, 6, 1, 3), np.float32)
    vectors[3, 3, 3, 0, 1] = 1e9
    image = nib.Nifti1Image(vectors, np.diag([2.0, 2.0, 2.0, 1.0]))
    image.header.set_intent("vector", name="displacement")
    nib.save(image, field)
    with pytest.raises(DsirError, match=r"far\.csv holds coordinates .* more than a kilometre away"):
        read_points(points)
    for path in (matrix, field):
        with pytest.raises(DsirError, match="kilometre"):
            read_given_transform(path, convention="ras")


@pytest.mark.parametrize("name", ["a.csv", "a.fcsv", "a.mrk.json", "a.stl", "a.seg.nrrd", "a.dsir"])
@pytest.mark.parametrize(("make", "said"), [(Path.mkdir, "is a folder; a file is needed"),
                                            (os.mkfifo, "is no regular file"), (None, "does not exist")])  # fmt: skip
def test_what_is_no_file_is_called_what_it_is(name: str, make: Callable | None, said: str, tmp_path: Path) -> None:
    read = {".stl": read_mesh, ".nrrd": read_segmentation, ".dsir": read_store}.get(Path(name).suffix, read_points)
    if make is not None:
        make(tmp_path / name)
    with pytest.raises(DsirError, match=f"{name} {said}"):
        read(tmp_path / name)
