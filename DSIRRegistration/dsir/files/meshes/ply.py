"""PLY: an ASCII header, then the vertices as records of fixed size."""

from __future__ import annotations

import numpy as np

from .parts import MeshError, MeshParts, fans, runs

KINDS = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2"},
    **{"uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}


def parse(content: bytes) -> MeshParts:
    """Vertices of an ASCII or binary PLY; faces and all other properties pass through."""
    marker = content.find(b"end_header")
    if not content.startswith(b"ply") or marker < 0:
        raise MeshError("is damaged or not a PLY surface.")
    body = content.index(b"\n", marker) + 1
    head = content[:body].decode("ascii", "replace")
    lines = [line.split() for line in head.splitlines() if line.split()]
    order = ORDERS[next(line[1] for line in lines if line[0] == "format")]
    elements = [n for n, line in enumerate(lines) if line[0] == "element"]
    if not elements or lines[elements[0]][1] != "vertex":
        raise MeshError("does not begin with its vertices, which is not supported.")
    count = int(lines[elements[0]][2])
    stop = elements[1] if len(elements) > 1 else len(lines)
    properties = [line for line in lines[elements[0] + 1 : stop] if line[0] == "property"]
    names = [line[-1] for line in properties]
    if any(line[1] == "list" for line in properties) or not {"x", "y", "z"} <= set(names):
        raise MeshError("has vertices without x, y and z, or with lists, which is not supported.")
    if order:
        kind = np.dtype([(line[2], order + KINDS[line[1]]) for line in properties])
        table = np.frombuffer(content, kind, count, offset=body)
        rest = content[body + count * kind.itemsize :]
        columns = {name: table[name].astype(np.float64) for name in names}
    else:
        rows = content[body:].decode("ascii").splitlines(keepends=True)
        cells = [row.split() for row in rows[:count]]
        if len(cells) < count:
            raise MeshError("is damaged: it ends before its last vertex.")
        columns = {name: np.array([float(row[n]) for row in cells]) for n, name in enumerate(names)}
        rest = "".join(rows[count:]).encode("ascii")
    has_normals = {"nx", "ny", "nz"} <= set(names)

    def rebuild(points: np.ndarray, normals: np.ndarray | None) -> bytes:
        new = dict(zip("xyz", points.T, strict=True))
        if has_normals and normals is not None:
            new |= dict(zip(("nx", "ny", "nz"), normals.T, strict=True))
        if order:
            changed = table.copy()
            for name, values in new.items():
                changed[name] = values
            return content[:body] + changed.tobytes() + rest
        for column, name in enumerate(names):
            if name in new:
                for row, value in zip(cells, new[name].tolist(), strict=True):
                    row[column] = f"{value:.9g}"
        return content[:body] + "".join(" ".join(row) + "\n" for row in cells).encode("ascii") + rest

    points = np.stack([columns[name] for name in "xyz"], -1)
    normals = np.stack([columns[name] for name in ("nx", "ny", "nz")], -1) if has_normals else None
    later = [line for line in lines[stop:] if line[0] in ("element", "property")]
    return MeshParts(points, normals, head, rebuild, _triangles(rest, later, order))


def _triangles(data: bytes, lines: list[list[str]], order: str) -> np.ndarray:
    """Faces, where they follow the vertices at once and are lists of corners and nothing else."""
    none = np.zeros((0, 3), dtype=int)
    if not lines or lines[0][1] != "face" or len(lines) < 2 or lines[1][1] != "list":
        return none
    if len(lines) > 2 and lines[2][0] == "property":
        raise MeshError("has faces with more than a list of corners, which is not supported.")
    count = int(lines[0][2])
    if not order:
        numbers = np.array([int(n) for row in data.split(b"\n")[:count] for n in row.split()], dtype=int)
        return fans(*runs(numbers))
    head, corner = np.dtype(order + KINDS[lines[1][2]]), np.dtype(order + KINDS[lines[1][3]])
    even = np.dtype([("count", head), ("corners", corner, 3)])
    if len(data) >= count * even.itemsize:
        table = np.frombuffer(data, even, count)
        if (table["count"] == 3).all():
            return table["corners"].astype(int)
    corners, offsets, at = [], [0], 0
    for _ in range(count):
        size = int(np.frombuffer(data, head, 1, at)[0])
        corners.append(np.frombuffer(data, corner, size, at + head.itemsize))
        offsets.append(offsets[-1] + size)
        at += head.itemsize + size * corner.itemsize
    return fans(np.concatenate(corners).astype(int), np.array(offsets)) if corners else none
