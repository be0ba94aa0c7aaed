"""Points and surfaces go both ways, and their files keep everything else."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from dsir.errors import DsirError
from dsir.files.meshes import read_mesh
from dsir.files.points import read_points
from dsir.structures.meshes import warp_mesh
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from dsir.warp.points import moving_to_fixed
from grids import GRIDS, field_of, lattice, points_inside, rotation, waves
from surfaces import SURFACES, ply, sphere, vtp


def chain(grid) -> Transform:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(14)
    matrix[:3, 3] = (6.0, -4.0, 9.0)
    return Transform((field_of(grid), Linear(matrix)))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_there_and_back_is_where_one_began(grid):
    transform, points = chain(grid), points_inside(grid, 500)
    there = transform.transform_points(points)
    back, error = moving_to_fixed(transform, there)
    assert error.max() < 1e-3 and np.abs(back - points).max() < 1e-2
    assert np.abs(there - points).max() > 2


def test_points_outside_the_field_come_back_too():
    transform = chain(GRIDS["oblique"])
    points = points_inside(GRIDS["oblique"], 300, margin=-15)
    _, error = moving_to_fixed(transform, transform.transform_points(points))
    assert error.max() < 1e-3


CSV = 'name,R,A,S,colour\nleft,1.5,-2,3,red\n"a, b",10,20,30,blue\n'


def test_a_table_keeps_its_other_columns(tmp_path):
    (tmp_path / "p.csv").write_text(CSV)
    file = read_points(tmp_path / "p.csv")
    assert file.points.tolist() == [[1.5, -2, 3], [10, 20, 30]]
    file.write(tmp_path / "q.csv", file.points + 1)
    assert (tmp_path / "q.csv").read_text() == (
        'name,R,A,S,colour\nleft,2.5000,-1.0000,4.0000,red\n"a, b",11.0000,21.0000,31.0000,blue\n'
    )


@pytest.mark.parametrize(
    ("header", "signs"), [("x,y,z\n", (1, 1, 1)), ("", (1, 1, 1)), ("l,p,s\n", (-1, -1, 1)), ("r, a, s\n", (1, 1, 1))]
)
def test_columns_say_their_coordinates(tmp_path, header, signs):
    (tmp_path / "p.csv").write_text(header + "1,2,3\n4,5,6\n")
    file = read_points(tmp_path / "p.csv")
    assert file.points.tolist() == (np.array([[1, 2, 3], [4, 5, 6]]) * signs).tolist()
    file.write(tmp_path / "q.csv", file.points)
    assert np.allclose(read_points(tmp_path / "q.csv").points, file.points)


def markups(system: str, kind: str = "Fiducial") -> dict:
    def point(place, status="defined"):
        return {
            "id": "1",
            "label": "F",
            "position": place,
            "orientation": [-1, 0, 0, 0, -1, 0, 0, 0, 1],
            "positionStatus": status,
        }

    points = [point([1.0, 2.0, 3.0]), point([0.0, 0.0, 0.0], "undefined"), point([4.0, 5.0, 6.0])]
    return {
        "@schema": "markups-schema-v1.0.3.json#",
        "markups": [
            {"type": kind, "coordinateSystem": system, "coordinateUnits": "mm", "controlPoints": points},
            {"type": "Line", "coordinateSystem": "RAS", "controlPoints": [point([7.0, 8.0, 9.0])]},
        ],
    }


@pytest.mark.parametrize(("system", "sign"), [("LPS", -1), ("RAS", 1)])
def test_markups_keep_their_coordinate_system_and_orientation(tmp_path, system, sign):
    original = markups(system)
    (tmp_path / "p.mrk.json").write_text(json.dumps(original))
    file = read_points(tmp_path / "p.mrk.json")
    assert file.points.tolist() == [[sign, 2 * sign, 3], [4 * sign, 5 * sign, 6], [7, 8, 9]]
    file.write(tmp_path / "q.mrk.json", file.points + np.array([10, 0, 0]))
    moved = json.loads((tmp_path / "q.mrk.json").read_text())
    assert moved["markups"][0]["controlPoints"][2]["position"] == [4 + 10 * sign, 5, 6]
    assert moved["markups"][0]["controlPoints"][1] == original["markups"][0]["controlPoints"][1]
    for m in range(2):
        for p, point in enumerate(moved["markups"][m]["controlPoints"]):
            assert point["orientation"] == original["markups"][m]["controlPoints"][p]["orientation"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "u,v,w\n1,2,3\n", "no columns"),
        ("a.csv", "x,y,z\n1,2,abc\n", "three numbers"),
        ("a.csv", "x,y,z\n1,2,nan\n", "finite"),
        ("a.csv", "x,y,z\n", "no points"),
        ("a.csv", "", "empty"),
        ("a.mrk.json", "{}", "not a Slicer markups"),
        ("a.mrk.json", "text", "not a Slicer markups"),
        ("a.mrk.json", json.dumps(markups("LPS", "ROI")), "type ROI"),
        ("a.mrk.json", json.dumps(markups("IJK")), "coordinate system IJK"),
    ],
)
def test_bad_point_files_are_refused_by_name(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(DsirError, match=says) as caught:
        read_points(tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_moves_and_keeps_its_topology(tmp_path, name):
    (tmp_path / name).write_bytes(SURFACES[name])
    mesh = read_mesh(tmp_path / name)
    assert np.allclose(np.linalg.norm(mesh.points - [-10, 20, 35], axis=1), 18, atol=1e-3)  # LPS in the file
    transform = Transform((field_of(lattice((50, 50, 50), centre=(-10.0, 20.0, 35.0)), lambda p: waves(p, 3.0, 80.0)),))
    points, normals, error = warp_mesh(mesh, transform)
    assert error < 1e-3 and np.abs(transform.transform_points(points) - mesh.points).max() < 1e-3
    mesh.write(tmp_path / f"out {name}", points, normals)
    again = read_mesh(tmp_path / f"out {name}")
    assert (
        again.space == mesh.space == ("RAS" if name.endswith("gii") else "LPS")
        and np.abs(again.points - points).max() < 1e-4
    )
    if mesh.normals is not None:
        assert np.abs(again.normals - normals).max() < 1e-5
    mesh.write(tmp_path / f"same {name}", mesh.points, mesh.normals)
    if name.startswith("binary"):  # all bytes that are not points or normals are those of the original
        same = (tmp_path / f"same {name}").read_bytes()
        assert len(same) == len(SURFACES[name])
        if not name.endswith("stl"):
            assert same == SURFACES[name]
    if name.startswith("appended"):
        tail = SURFACES[name][SURFACES[name].index(b"<AppendedData") :]
        assert (tmp_path / f"out {name}").read_bytes().endswith(tail)


def test_normals_stay_at_right_angles_to_the_surface(tmp_path):
    (tmp_path / "s.ply").write_bytes(ply(binary=True))
    mesh = read_mesh(tmp_path / "s.ply")
    stretch = Linear(np.diag([1.0, 0.5, 2.0, 1.0]))
    for to in ("fixed", "moving"):
        points, normals, _ = warp_mesh(mesh, Transform((stretch,)), to=to)
        triangles = sphere()[2]
        a, b, c = (points[triangles[:, n]] for n in range(3))
        facets = np.cross(b - a, c - a)
        facets /= np.linalg.norm(facets, axis=1, keepdims=True)
        assert np.abs((facets * normals[triangles].mean(1)).sum(1)).min() > 0.93


def test_a_surface_says_its_space(tmp_path):
    (tmp_path / "s.vtp").write_bytes(vtp(space="RAS"))
    assert read_mesh(tmp_path / "s.vtp").points[0].tolist() == pytest.approx(sphere()[0][0].tolist())
    (tmp_path / "s.vtp").write_bytes(vtp(space="LPS"))
    assert read_mesh(tmp_path / "s.vtp").points[0, 0] == pytest.approx(-sphere()[0][0, 0])


@pytest.mark.parametrize("name", ["a.vtp", "a.vtk", "a.stl", "a.ply", "a.obj"])
def test_bad_surfaces_are_refused_by_name(tmp_path, name):
    for content in (b"", b"a letter", next((c for n, c in SURFACES.items() if n.endswith(name[1:])), b"")[:900]):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DsirError, match=name.replace(".", r"\.")) as caught:
            read_mesh(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_points_of_a_table_that_are_not_defined_are_left_alone(tmp_path):
    table = "label,l,p,s,defined,selected\nF-1,1.0,2.0,3.0,1,1\nF-2,0.0,0.0,0.0,0,1\nF-3,4.0,5.0,6.0,1,0\nF-4,,,,0,0\n"
    (tmp_path / "p.csv").write_text(table)
    file = read_points(tmp_path / "p.csv")
    assert file.points.tolist() == [[-1, -2, 3], [-4, -5, 6]]
    file.write(tmp_path / "q.csv", file.points + np.array([1.0, 0, 0]))
    assert (tmp_path / "q.csv").read_text().splitlines() == [
        "label,l,p,s,defined,selected",
        "F-1,0.0000,2.0000,3.0000,1,1",
        "F-2,0.0,0.0,0.0,0,1",
        "F-3,3.0000,5.0000,6.0000,1,0",
        "F-4,,,,0,0",
    ]


@pytest.mark.parametrize(
    ("units", "fine"), [("mm", True), (["mm", "UCUM", "millimeter"], True), ([], True), ("um", False), (["cm"], False)]
)
def test_units_of_markups_may_be_a_code(tmp_path, units, fine):
    content = markups("LPS")
    content["markups"][0]["coordinateUnits"] = units
    (tmp_path / "p.mrk.json").write_text(json.dumps(content))
    if fine:
        file = read_points(tmp_path / "p.mrk.json")
        file.write(tmp_path / "q.mrk.json", file.points)
        assert json.loads((tmp_path / "q.mrk.json").read_text())["markups"][0]["coordinateUnits"] == units
    else:
        with pytest.raises(DsirError, match=r"in (um|cm); coordinates in mm"):
            read_points(tmp_path / "p.mrk.json")


@pytest.mark.parametrize("doctype", ['<!DOCTYPE x [<!ENTITY a "aaaa">]>', '<!DOCTYPE x SYSTEM "file:///etc/passwd">'])
def test_a_surface_that_declares_entities_is_refused(tmp_path, doctype):
    from surfaces import vtp

    content = vtp()
    at = content.index(b"<VTKFile")
    (tmp_path / "a.vtp").write_bytes(content[:at] + doctype.encode() + content[at:])
    with pytest.raises(DsirError, match="declares entities"):
        read_mesh(tmp_path / "a.vtp")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_spreadsheets_of_semicolons_and_tabs_stay_such(tmp_path, mark):
    (tmp_path / "p.csv").write_text(f"# by hand\nname{mark}x{mark}y{mark}z\na, b{mark}1{mark}2{mark}3\n")
    file = read_points(tmp_path / "p.csv")
    file.write(tmp_path / "q.csv", file.points + 1)
    lines = (tmp_path / "q.csv").read_text().splitlines()
    assert lines[:2] == ["# by hand", f"name{mark}x{mark}y{mark}z"]
    assert lines[2].replace('"', "").split(mark) == ["a, b", "2.0000", "3.0000", "4.0000"]


def test_a_table_of_ants_has_to_say_that_it_is_lps(tmp_path):
    (tmp_path / "p.csv").write_text("x,y,z,t,label\n1,2,3,0,1\n")
    with pytest.raises(DsirError, match="of ANTs, which counts in LPS"):
        read_points(tmp_path / "p.csv")


def test_an_stl_in_capitals_is_one(tmp_path):
    corners = "".join(f"VERTEX {x} {y} 3\n" for x, y in ((1, 2), (2, 2), (1, 3)))
    (tmp_path / "a.stl").write_text(
        f"SOLID A\nFACET NORMAL 0 0 1\nOUTER LOOP\n{corners}ENDLOOP\nENDFACET\nENDSOLID A\n"
    )
    assert read_mesh(tmp_path / "a.stl").points.tolist() == [[-1, -2, 3], [-2, -2, 3], [-1, -3, 3]]


def test_the_solids_of_an_stl_stay_apart_under_their_names(tmp_path):
    text = "".join(
        f"solid {name}\nfacet normal 0 0 1\nouter loop\nvertex {n} 0 0\nvertex {n} 1 0\nvertex {n + 1} 0 0\n"
        f"endloop\nendfacet\nendsolid {name}\n"
        for n, name in enumerate(("normal tissue", "tumour"))
    )
    (tmp_path / "two.stl").write_text(text)
    mesh, shift = read_mesh(tmp_path / "two.stl"), np.array([0.0, 0.0, 7.0])
    mesh.write(tmp_path / "moved.stl", mesh.points + shift)
    moved = (tmp_path / "moved.stl").read_text()
    assert re.findall("solid.*", moved) == re.findall("solid.*", text) and moved.count("facet normal 0 0 -1") == 2
    assert np.allclose(read_mesh(tmp_path / "moved.stl").points, mesh.points + shift)
