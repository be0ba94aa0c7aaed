"""Surfaces, curves and points through ``dsir propagate``: the verdict of a contour, and out as what they were."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.files.images import write_image
from dsir.files.meshes import read_mesh
from dsir.files.points import read_points
from dsir.files.transforms import write_transform
from dsir.geometry.image import Image
from dsir.shapes.structure import PointSet
from dsir.structures.measures import volume
from dsir.structures.propagate import named
from dsir.structures.segmentations import read_segmentation
from dsir.structures.surfaces import from_surface, open_edges
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from grids import lattice
from surfaces import SURFACES

pytestmark = pytest.mark.slow

FIXED = lattice((40, 44, 30), (2.5, 2.5, 3.0), centre=(10.0, -20.0, 35.0))
SHIFT = np.array([6.0, -4.0, 5.0])
RADIUS = 12.0


def ball(radius: float = RADIUS, centre=(10.0, -20.0, 35.0), flip: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Points and triangles of a closed sphere."""
    theta, phi = np.linspace(0, np.pi, 41), np.linspace(0, 2 * np.pi, 80, endpoint=False)
    t, p = (g.ravel() for g in np.meshgrid(theta, phi, indexing="ij"))
    points = radius * np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1) + np.array(centre)
    i, j = (g.ravel() for g in np.meshgrid(np.arange(40), np.arange(80), indexing="ij"))
    a, b, c, d = 80 * i + j, 80 * i + (j + 1) % 80, 80 * (i + 1) + j, 80 * (i + 1) + (j + 1) % 80
    return points, np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])


def stl(path: Path, *surfaces: tuple[np.ndarray, np.ndarray]) -> Path:
    """A binary STL in RAS."""
    corners = np.concatenate([points[triangles] for points, triangles in surfaces])
    table = np.zeros(len(corners), np.dtype([("n", "<f4", 3), ("p", "<f4", (3, 3)), ("a", "<u2")]))
    table["p"] = corners
    path.write_bytes(b"SPACE=RAS".ljust(80) + np.uint32(len(corners)).tobytes() + table.tobytes())
    return path


def curve(path: Path, points: np.ndarray) -> Path:
    controls = [{"id": str(n), "label": f"nerve-{n}", "position": p.tolist()} for n, p in enumerate(points)]
    markup = {"type": "Curve", "coordinateSystem": "RAS", "controlPoints": controls}
    markup["display"] = {"selectedColor": [1.0, 0.5, 0.0]}
    path.write_text(json.dumps({"markups": [markup]}))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """A fixed scan and a shift."""
    import torch

    index = np.stack(np.meshgrid(*(np.arange(n) for n in FIXED.shape), indexing="ij"), -1)
    write_image(
        tmp_path / "ct.nii.gz", Image(torch.from_numpy(np.sin(FIXED.to_world(index) / 9).sum(-1)).float(), FIXED)
    )
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    write_transform(tmp_path / "t.h5", Transform((Linear(matrix),)))
    return tmp_path


def propagate(folder: Path, *more: str | Path) -> int:
    base = ["propagate", "-t", folder / "t.h5", "--fixed", folder / "ct.nii.gz", "--threads", "1"]
    return main([str(x) for x in (*base, *more)])


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    return {row["name"]: row for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())}


def test_the_shape_of_a_surface_has_its_volume_and_its_holes():
    structure = from_surface(*ball(), name="ball", number=1, colour=(1, 2, 3))
    size, centre = volume(structure)
    assert size == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.01)
    assert np.abs(centre - [10, -20, 35]).max() < 0.02
    (outer, faces), (inner, _) = ball(), ball(6.0)
    hollow = np.concatenate([outer, inner]), np.concatenate([faces, faces + len(outer)])
    wall, _ = volume(from_surface(*hollow, name="wall", number=1, colour=(1, 2, 3)))
    assert wall == pytest.approx(4 / 3 * np.pi * (RADIUS**3 - 6.0**3) / 1000, rel=0.015)


def test_open_edges_are_counted():
    points, triangles = ball()
    assert open_edges(points, triangles) == 0
    assert open_edges(points, triangles[100:]) > 0


@pytest.mark.parametrize("kind", list(SURFACES))
def test_every_kind_of_surface_hands_over_its_faces(tmp_path, kind):
    file = tmp_path / kind
    file.write_bytes(SURFACES[kind])
    mesh = read_mesh(file)
    centre = mesh.points.mean(0)
    a, b, c = (mesh.points[mesh.triangles] - centre).transpose(1, 0, 2)
    assert abs(np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6) == pytest.approx(24103, rel=0.01)


def test_surfaces_and_curves_get_a_verdict_each_and_go_out_as_they_were(folder):
    line = np.array([[0.0, -30, 20], [5, -25, 30], [10, -20, 40]])
    files = [stl(folder / "Prostata_ä.stl", ball()), curve(folder / "nerve.mrk.json", line)]
    out = folder / "out"
    assert propagate(folder, "--surfaces", *files, "-o", out, "--report", folder / "r.html", "-q") == 0
    moved = read_mesh(out / "Prostata_ä.stl").points
    assert np.abs(moved.mean(0) - (read_mesh(files[0]).points.mean(0) - SHIFT)).max() < 1e-3
    assert np.abs(read_points(out / "nerve.mrk.json").points - (line - SHIFT)).max() < 1e-3
    assert json.loads((out / "nerve.mrk.json").read_text())["markups"][0]["controlPoints"][1]["label"] == "nerve-1"
    rows = rows_of(folder / "r.csv")
    assert set(rows) == {"Prostata_ä", "nerve"} and {row["light"] for row in rows.values()} == {"amber"}
    assert float(rows["Prostata_ä"]["volume_after_ml"]) == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.02)
    assert rows["nerve"]["volume_after_ml"] == ""
    assert float(rows["nerve"]["centroid_shift_mm"]) == pytest.approx(np.linalg.norm(SHIFT), abs=0.01)
    page = (folder / "r.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 2 and "Prostata_ä" in page
    assert ".stl" not in page and ".stl" not in (folder / "r.json").read_text()


def test_one_surface_goes_to_one_file_and_a_reference_surface_is_compared(folder, capfd):
    source = stl(folder / "gtv.stl", ball())
    (folder / "drawn").mkdir()
    reference = stl(folder / "drawn" / "GTV.stl", ball(centre=np.array([10.0, -20, 35]) - SHIFT))
    out = folder / "gtv_on_ct.stl"
    assert propagate(folder, "--surfaces", source, "--reference", reference, "-o", out) == 0
    assert "Agrees with the reference" in capfd.readouterr().out and out.is_file()


def test_a_surface_can_become_a_segmentation(folder):
    source = stl(folder / "gtv.stl", ball())
    assert propagate(folder, "--surfaces", source, "-o", folder / "gtv.seg.nrrd", "-q") == 0
    (found,) = read_segmentation(folder / "gtv.seg.nrrd").structures
    assert found.name == "gtv" and np.abs(volume(found)[1] - ([10, -20, 35] - SHIFT)).max() < 0.3


def test_an_open_surface_is_carried_and_says_why_it_has_no_volume(folder, capfd):
    points, triangles = ball()
    source = stl(folder / "torn.stl", (points, triangles[200:]))
    assert propagate(folder, "--surfaces", source, "-o", folder / "out.stl") == 0
    assert "torn is not closed" in capfd.readouterr().out and (folder / "out.stl").is_file()


def test_what_leaves_the_fixed_scan_is_red_or_amber(folder):
    line = FIXED.centre + SHIFT + np.array([[0.0, 0, 0], [0, 0, 40], [0, 0, 400]])
    source = curve(folder / "line.mrk.json", line)
    assert (
        propagate(folder, "--surfaces", source, "-o", folder / "o.mrk.json", "--report", folder / "r.html", "-q") == 0
    )
    row = rows_of(folder / "r.csv")["line"]
    assert row["light"] == "red" and "outside the fixed scan" in row["reasons"]


@pytest.mark.parametrize(
    ("names", "out", "words"),
    [
        (("a.stl",), "b.ply", "must end in .stl"),
        (("a.stl", "sub/a.stl"), "out", "have the same file name"),
        (("a.off",), "b.off", "surfaces and curves are read from"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(folder, capfd, names, out, words):
    (folder / "sub").mkdir()
    files = [stl(folder / name, ball()) for name in names]
    assert propagate(folder, "--surfaces", *files, "-o", folder / out, "-q") == 2
    said = capfd.readouterr().err.strip()
    assert words in said and len(said.splitlines()) == 1 and not (folder / out).exists()


def test_a_confidence_needs_both_scans_and_then_speaks_in_the_light(folder, capfd):
    source = stl(folder / "gtv.stl", ball())
    assert propagate(folder, "--surfaces", source, "-o", folder / "o.stl", "--measure-confidence") == 2
    assert "both scans are needed" in capfd.readouterr().err
    still = ("propagate", "-t", folder / "still.h5", "--fixed", folder / "ct.nii.gz", "--moving", folder / "ct.nii.gz")
    write_transform(folder / "still.h5", Transform((Linear(np.eye(4)),)))
    rest = ("--surfaces", source, "-o", folder / "o.stl", "--measure-confidence", "--report", folder / "r.html", "-q")
    assert main([str(x) for x in (*still, *rest)]) == 0
    assert 0 < float(rows_of(folder / "r.csv")["gtv"]["confidence_mean"]) <= 1


def test_the_very_name_goes_before_one_that_differs_in_case():
    large, small = (PointSet(name, np.zeros((1, 3)), 1, (0, 0, 0)) for name in ("Rectum", "rectum"))
    assert named("rectum", (large, small)) is small
    assert named("RECTUM", (large,)) is large and named("RECTUM", (large, small)) is None


def test_a_gifti_surface_goes_by_its_own_matrix_to_scanner_coordinates(tmp_path):
    """As FreeSurfer writes it with --to-scanner left out, but with the matrix that leads there."""
    step, to_scanner = np.arange(3.0), np.array([[0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 11], [0, 0, 0, 1.0]])
    image = nib.GiftiImage.from_bytes(SURFACES["scanner.surf.gii"])
    places = image.darrays[0]
    places.meta = nib.gifti.GiftiMetaData({"VolGeomC_R": "3"})
    places.coordsys = nib.gifti.GiftiCoordSystem(dataspace=0, xformspace=1, xform=to_scanner)
    nib.save(image, tmp_path / "a.surf.gii")
    mesh = read_mesh(tmp_path / "a.surf.gii")
    wanted = places.data @ to_scanner[:3, :3].T + to_scanner[:3, 3]
    assert np.allclose(mesh.points, wanted, atol=1e-4)
    mesh.write(tmp_path / "b.surf.gii", mesh.points + step)
    assert np.allclose(read_mesh(tmp_path / "b.surf.gii").points, wanted + step, atol=1e-4)
    places.coordsys.xformspace = 3  # to Talairach's brain, which is not where the patient lay
    nib.save(image, tmp_path / "a.surf.gii")
    with pytest.raises(DsirError, match="counts from the middle of FreeSurfer's volume"):
        read_mesh(tmp_path / "a.surf.gii")


@pytest.mark.parametrize("name", ["ascii.vtk", "binary.stl", "ascii.ply", "text.obj"])
def test_a_surface_goes_by_the_space_it_names_and_says_where_it_names_none(name, tmp_path, capfd):
    content = SURFACES[name]
    assert content.count(b"SPACE=LPS") == 1
    path = tmp_path / f"s{Path(name).suffix}"

    def read(words):
        path.write_bytes(content.replace(b"SPACE=LPS", words.ljust(9)))
        return read_mesh(path)

    lps = read(b"SPACE=LPS")
    assert np.allclose(read(b"space:ras").points, lps.points * [-1, -1, 1], atol=1e-4) and not lps.remarks
    unsaid = read(b"")
    assert np.allclose(unsaid.points, lps.points) and "LPS was taken, as Slicer does" in unsaid.remarks[0]
    write_transform(tmp_path / "id.tfm", Transform())
    words = ["apply", "-t", f"{tmp_path}/id.tfm", "--mesh", str(path), "-o", f"{tmp_path}/o{path.suffix}"]
    assert main(words) == 0 and "LPS was taken, as Slicer does" in capfd.readouterr().out


def test_a_surface_of_two_spaces_is_refused(tmp_path):
    both = SURFACES["ascii.ply"].replace(b"end_header", b"comment SPACE=RAS\nend_header", 1)
    (tmp_path / "s.ply").write_bytes(both)
    with pytest.raises(DsirError, match="both that its coordinates are LPS and that they are RAS"):
        read_mesh(tmp_path / "s.ply")
