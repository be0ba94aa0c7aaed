"""PLY in all its forms: only points and normals change, everything else passes through byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from dsir.errors import DsirError
from dsir.files.meshes import read_mesh

POINTS = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10]], dtype=float)
FACES = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
COLOUR = [("uchar", "red"), ("uchar", "green"), ("uchar", "blue")]
NUMPY = {"uchar": "u1", "float": "f4", "double": "f8", "int": "i4", "short": "i2"}


def ply(order: str, *, vertex=(), face=(), before=False, faces=FACES, comment="") -> bytes:
    """A tetrahedron whose vertices and faces have further properties; ``before``: edges come first."""
    names = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}
    head = [f"ply\nformat {names[order]} 1.0", *([f"comment {comment}"] if comment else [])]
    edge = [["int", "vertex1"], ["int", "vertex2"]]
    sections = []
    if before:
        sections.append(("edge", edge, [[(0,), (1,)], [(1,), (2,)]]))
    kinds = [["float", name] for name in "xyz"] + [list(v) for v in vertex]
    sections.append(("vertex", kinds, [[(v,) for v in p] + [(n + 7,) for n in range(len(vertex))] for p in POINTS]))
    rows = [[tuple(f)] + [(n + 3,) for n in range(len(face))] for f in faces]
    sections.append(("face", [["list uchar int", "vertex_indices"], *[list(f) for f in face]], rows))
    body = b""
    for name, properties, records in sections:
        head += [f"element {name} {len(records)}", *(f"property {kind} {of}" for kind, of in properties)]
        for record in records:
            words = []
            for (kind, _), values in zip(properties, record, strict=True):
                if kind.startswith("list"):
                    values = (len(values), *values)
                    types = ["u1"] + ["i4"] * (len(values) - 1)
                else:
                    types = [NUMPY[kind]]
                words += values
                if order:
                    body += b"".join(np.array(v, order + t).tobytes() for v, t in zip(values, types, strict=True))
            if not order:
                body += (" ".join(f"{w:g}" for w in words) + "\n").encode()
    return ("\n".join([*head, "end_header"]) + "\n").encode() + body


CASES = {
    "plain": {},
    "colours of the faces": {"face": COLOUR},
    "colours of the points": {"vertex": COLOUR},
    "both, and quality": {"vertex": [*COLOUR, ("float", "quality")], "face": [*COLOUR, ("int", "flags")]},
    "edges first": {"before": True},
    "faces of four corners too": {"faces": [(0, 2, 1), (0, 1, 3, 2), (1, 2, 3)], "face": COLOUR},
    "double normals": {"vertex": [("double", "nx"), ("double", "ny"), ("double", "nz")]},
    "its space": {"comment": "SPACE=RAS"},
}


@pytest.mark.parametrize("order", ["<", ">", ""], ids=["little-endian", "big-endian", "ascii"])
@pytest.mark.parametrize("more", CASES.values(), ids=CASES)
def test_points_move_and_all_else_stays(tmp_path, order, more):
    content = ply(order, **more)
    (tmp_path / "a.ply").write_bytes(content)
    mesh = read_mesh(tmp_path / "a.ply")
    flip = np.array([1, 1, 1]) if "comment" in more else np.array([-1, -1, 1])
    assert np.allclose(mesh.points, POINTS * flip)
    faces = more.get("faces", FACES)
    assert len(mesh.triangles) == sum(len(f) - 2 for f in faces) and tuple(mesh.triangles[0]) == faces[0]
    mesh.write(tmp_path / "same.ply", mesh.points, mesh.normals)
    assert (tmp_path / "same.ply").read_bytes() == content
    there = mesh.points + np.array([1.0, 2.0, 3.0])
    mesh.write(tmp_path / "moved.ply", there, mesh.normals)
    assert np.allclose(read_mesh(tmp_path / "moved.ply").points, there)
    moved = (tmp_path / "moved.ply").read_bytes()
    at = content.index(b"end_header")
    assert moved[:at] == content[:at]
    if order:
        assert moved[-20:] == content[-20:] and len(moved) == len(content)


def test_strips_and_clouds_without_faces(tmp_path):
    text = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    rows = "".join("{:g} {:g} {:g}\n".format(*p) for p in POINTS)
    (tmp_path / "cloud.ply").write_text(f"{text}end_header\n{rows}")
    assert len(read_mesh(tmp_path / "cloud.ply").triangles) == 0
    strip = "element tristrips 1\nproperty list int int vertex_indices\n"
    (tmp_path / "strip.ply").write_text(f"{text}{strip}end_header\n{rows}8 0 1 2 3 -1 3 2 1\n")
    assert read_mesh(tmp_path / "strip.ply").triangles.tolist() == [[0, 1, 2], [1, 2, 3], [3, 2, 1]]


@pytest.mark.parametrize(
    "broken",
    [
        lambda c: c[:-5],
        lambda c: c.replace(b"element vertex 4", b"element vertex 4000000000"),
        lambda c: c.replace(b"element face 4", b"element face -4"),
        lambda c: c.replace(b"property float x", b"property list uchar float x"),
        lambda c: c.replace(b"property float z", b"property float w"),
        lambda c: c.replace(b"binary_little_endian", b"binary_middle_endian"),
        lambda c: c.replace(b"element vertex", b"element corner"),
    ],
)
def test_broken_files_are_one_sentence(tmp_path, broken):
    (tmp_path / "a.ply").write_bytes(broken(ply("<")))
    with pytest.raises(DsirError, match=r"a\.ply"):
        read_mesh(tmp_path / "a.ply")
