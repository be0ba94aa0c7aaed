"""Surface files as Slicer and VTK write them, made by hand so that no test needs VTK."""

from __future__ import annotations

import base64
import zlib

import nibabel as nib
import numpy as np


def sphere() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (N, 3), outward normals and triangles (M, 3) of a sphere of 18 mm about (10, -20, 35)."""
    theta, phi = np.meshgrid(np.linspace(0.1, np.pi - 0.1, 24), np.linspace(0, 2 * np.pi, 40), indexing="ij")
    normals = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1).reshape(-1, 3)
    first = (np.arange(23)[:, None] * 40 + np.arange(39)).ravel()
    triangles = np.concatenate(
        [np.stack([first, first + 40, first + 1], -1), np.stack([first + 1, first + 40, first + 41], -1)]
    )
    return (18 * normals + [10, -20, 35]).astype(np.float32), normals.astype(np.float32), triangles


def packed(values: np.ndarray, *, zipped: bool) -> bytes:
    """A data block as VTK's XML writer codes it (UInt32 headers, base64)."""
    data = values.tobytes()
    if not zipped:
        return base64.b64encode(np.array([len(data)], "<u4").tobytes() + data)
    blocks = [data[at : at + 32768] for at in range(0, len(data), 32768)]
    coded = [zlib.compress(block) for block in blocks]
    header = np.array([len(blocks), 32768, len(data) % 32768, *map(len, coded)], "<u4")
    return base64.b64encode(header.tobytes()) + base64.b64encode(b"".join(coded))


def vtp(*, appended: bool = True, zipped: bool = True, space: str = "LPS") -> bytes:
    """A surface as Slicer writes it: appended, zlib, base64, its space in the field data."""
    points, normals, triangles = sphere()
    text = np.array([*space.encode(), 0], np.uint8)
    arrays = {
        "SPACE": text, "Normals": normals, "id": np.arange(len(points), dtype="<i4"), "Points": points,
        "connectivity": triangles.astype("<i8").ravel(),
        "offsets": np.arange(3, 3 * len(triangles) + 1, 3, dtype="<i8"),
    }  # fmt: skip
    blocks = {name: packed(values, zipped=zipped) for name, values in arrays.items()}
    offsets = dict(zip(blocks, np.cumsum([0, *(len(b) for b in blocks.values())]).tolist(), strict=False))

    def array(name: str, kind: str, more: str = "") -> str:
        if appended:
            return f'<DataArray type="{kind}" Name="{name}" {more} format="appended" offset="{offsets[name]}"/>'
        return f'<DataArray type="{kind}" Name="{name}" {more} format="binary">{blocks[name].decode()}</DataArray>'

    three = 'NumberOfComponents="3" RangeMin="0" RangeMax="1"'
    piece = "".join(
        [
            '<PointData Normals="Normals">', array("Normals", "Float32", three), array("id", "Int32"), "</PointData>",
            "<Points>", array("Points", "Float32", three), "</Points>",
            "<Polys>", array("connectivity", "Int64"), array("offsets", "Int64"), "</Polys>",
        ]
    )  # fmt: skip
    compressor = 'compressor="vtkZLibDataCompressor"' if zipped else ""
    counts = f'NumberOfPoints="{len(points)}" NumberOfPolys="{len(triangles)}"'
    head = f'<?xml version="1.0"?><VTKFile type="PolyData" byte_order="LittleEndian" header_type="UInt32" {compressor}>'
    body = f"<PolyData><FieldData>{array('SPACE', 'UInt8')}</FieldData><Piece {counts}>{piece}</Piece></PolyData>"
    tail = f'<AppendedData encoding="base64">_{b"".join(blocks.values()).decode()}</AppendedData>' if appended else ""
    return (head + body + tail + "</VTKFile>").encode()


def legacy(*, binary: bool) -> bytes:
    points, normals, triangles = sphere()
    faces = np.concatenate([np.full((len(triangles), 1), 3), triangles], 1)

    def block(values: np.ndarray, kind: str) -> bytes:
        return (
            values.astype(kind).tobytes()
            if binary
            else "\n".join(" ".join(map(str, row)) for row in values.tolist()).encode()
        )

    lines = [
        b"# vtk DataFile Version 4.2",
        b"3D Slicer output. SPACE=LPS",
        b"BINARY" if binary else b"ASCII",
        b"DATASET POLYDATA",
        b"POINTS %d float" % len(points),
        block(points, ">f4"),
        b"POLYGONS %d %d" % (len(faces), faces.size),
        block(faces, ">i4"),
        b"POINT_DATA %d" % len(points),
        b"NORMALS Normals float",
        block(normals, ">f4"),
        b"",
    ]
    return b"\n".join(lines)


def stl(*, binary: bool) -> bytes:
    points, _, triangles = sphere()
    corners = points[triangles]
    if binary:
        table = np.zeros(len(corners), np.dtype([("n", "<f4", 3), ("p", "<f4", (3, 3)), ("a", "<u2")]))
        table["p"], table["a"] = corners, 7
        return b"3D Slicer output. SPACE=LPS".ljust(80) + np.uint32(len(corners)).tobytes() + table.tobytes()
    facets = "".join(
        "facet normal 0 0 0\nouter loop\n" + "".join("vertex {} {} {}\n".format(*v) for v in c) + "endloop\nendfacet\n"
        for c in corners.tolist()
    )
    return f"solid 3D Slicer output. SPACE=LPS\n{facets}endsolid\n".encode()


def ply(*, binary: bool) -> bytes:
    points, normals, triangles = sphere()
    how = "binary_little_endian" if binary else "ascii"
    head = f"ply\nformat {how} 1.0\ncomment SPACE=LPS\nelement vertex {len(points)}\n" + "".join(
        f"property float {n}\n" for n in ("x", "y", "z", "nx", "ny", "nz")
    )
    head += f"property uchar red\nelement face {len(triangles)}\nproperty list uchar int vertex_indices\nend_header\n"
    if binary:
        table = np.zeros(len(points), np.dtype([("p", "<f4", 3), ("n", "<f4", 3), ("red", "u1")]))
        table["p"], table["n"], table["red"] = points, normals, 200
        faces = np.zeros(len(triangles), np.dtype([("c", "u1"), ("i", "<i4", 3)]))
        faces["c"], faces["i"] = 3, triangles
        return head.encode() + table.tobytes() + faces.tobytes()
    rows = [" ".join(map(str, (*p, *n, 200))) for p, n in zip(points.tolist(), normals.tolist(), strict=True)]
    return (head + "\n".join(rows) + "\n" + "".join("3 {} {} {}\n".format(*t) for t in triangles.tolist())).encode()


def obj() -> bytes:
    """In LPS, as Slicer writes it: points, normals and faces of a corner each; colours and groups beside them."""
    points, normals, triangles = sphere()
    lines = [
        "# 3D Slicer output. SPACE=LPS",
        "mtllib a.mtl",
        *("v {:.9g} {:.9g} {:.9g} 1 0 0".format(*p) for p in points.tolist()),
    ]
    lines += ["vn {:.9g} {:.9g} {:.9g}".format(*n) for n in normals.tolist()]
    lines += ["g all", *("f " + " ".join(f"{c}//{c}" for c in t) for t in (triangles + 1).tolist())]
    return "\n".join([*lines, ""]).encode()


def gifti() -> bytes:
    """A surface as FreeSurfer's and HCP's tools write it in scanner coordinates: RAS."""
    points, _, triangles = sphere()
    arrays = [
        nib.gifti.GiftiDataArray((points * [-1, -1, 1]).astype(np.float32), "NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(triangles.astype(np.int32), "NIFTI_INTENT_TRIANGLE"),
    ]
    return bytes(nib.GiftiImage(darrays=arrays).to_bytes())


SURFACES = {
    "appended.vtp": vtp(),
    "appended plain.vtp": vtp(zipped=False),
    "inline.vtp": vtp(appended=False),
    "inline plain.vtp": vtp(appended=False, zipped=False),
    "ascii.vtk": legacy(binary=False),
    "binary.vtk": legacy(binary=True),
    "ascii.stl": stl(binary=False),
    "binary.stl": stl(binary=True),
    "ascii.ply": ply(binary=False),
    "binary.ply": ply(binary=True),
    "text.obj": obj(),
    "scanner.surf.gii": gifti(),
}
