"""PLY: an ASCII header that names elements and their properties, then their records, as text or in binary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .parts import MeshError, MeshParts, fans, strips

KINDS = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2"},
    **{"uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
Table = dict[str, list | np.ndarray]
"""An element's columns by name."""

CORNERS = ("vertex_indices", "vertex_index")
COORDINATES, NORMALS = ("x", "y", "z"), ("nx", "ny", "nz")


@dataclass(frozen=True)
class Property:
    """One property of an element; ``length`` is the type of a list's length, "" for a single number."""

    name: str
    kind: str
    length: str = ""


@dataclass
class Element:
    """One kind of record, and where its records lie: ``content[start:stop]``."""

    name: str
    count: int
    properties: list[Property]
    start: int = 0
    stop: int = 0

    @property
    def plain(self) -> bool:
        """Whether all its records have one size."""
        return not any(p.length for p in self.properties)


def parse(content: bytes) -> MeshParts:
    """Vertices of an ASCII or binary PLY; all else (colours of points and faces, quality, edges) passes through."""
    order, elements, body, head = _header(content)
    tables = _ascii_tables(content, elements, body) if not order else _binary_tables(content, elements, body, order)
    number = next((n for n, e in enumerate(elements) if e.name == "vertex"), None)
    if number is None or not set(COORDINATES) <= set(tables[number]):
        raise MeshError("has no vertices with x, y and z.")
    vertices, table = elements[number], tables[number]
    has_normals = set(NORMALS) <= set(table)

    def rebuild(points: np.ndarray, normals: np.ndarray | None) -> bytes:
        new = dict(zip(COORDINATES, points.T, strict=True))
        if has_normals and normals is not None:
            new |= dict(zip(NORMALS, normals.T, strict=True))
        records = _records(content, vertices, new, order)
        return content[: vertices.start] + records + content[vertices.stop :]

    points = np.stack([table[name] for name in COORDINATES], -1).astype(np.float64)
    normals = np.stack([table[name] for name in NORMALS], -1).astype(np.float64) if has_normals else None
    return MeshParts(points, normals, head, rebuild, _triangles(elements, tables))


def _header(content: bytes) -> tuple[str, list[Element], int, str]:
    """Byte order ("" for text), elements, where the records begin, and the header's text."""
    marker = content.find(b"\nend_header")
    if not content.startswith(b"ply") or marker < 0:
        raise MeshError("is damaged or not a PLY surface.")
    body = content.index(b"\n", marker + 1) + 1
    head = content[:body].decode("latin-1")
    order, elements = None, []
    for line in head.splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            order = ORDERS[words[1]]
        elif words[:1] == ["element"]:
            elements.append(Element(words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            made = Property(words[4], KINDS[words[3]], KINDS[words[2]]) if words[1] == "list" else None
            elements[-1].properties.append(made or Property(words[2], KINDS[words[1]]))
    if order is None or any(not 0 <= e.count <= len(content) for e in elements):
        raise MeshError("is damaged: its header makes no sense.")
    return order, elements, body, head


def _binary_tables(content: bytes, elements: list[Element], at: int, order: str) -> list[Table]:
    """The columns of every element by name; a list's column is a list of arrays."""
    tables: list[Table] = []
    for element in elements:
        element.start = at
        if element.plain:
            kind = np.dtype([(p.name, order + p.kind) for p in element.properties])
            records = np.frombuffer(content, kind, element.count, at)
            tables.append({p.name: records[p.name] for p in element.properties})
            at += element.count * kind.itemsize
        else:
            table, at = _uneven(content, element, at, order)
            tables.append(table)
        element.stop = at
    return tables


def _uneven(content: bytes, element: Element, at: int, order: str) -> tuple[Table, int]:
    """Records with lists; at once where all lists are as long as in the first record, as in surfaces of triangles."""
    if element.count:
        first, _ = _record(content, element, at, order)
        even = _even_kind(element, {name: len(values) for name, values in first.items()}, order)
        if len(content) - at >= element.count * even.itemsize:
            records = np.frombuffer(content, even, element.count, at)
            if all((records[f"{p.name} length"] == len(first[p.name])).all() for p in element.properties if p.length):
                columns: Table = {p.name: records[p.name] for p in element.properties}
                return columns, at + element.count * even.itemsize
    rows: dict[str, list] = {p.name: [] for p in element.properties}
    for _ in range(element.count):
        record, at = _record(content, element, at, order)
        for p in element.properties:
            rows[p.name].append(record[p.name] if p.length else record[p.name][0])
    return dict(rows), at


def _record(content: bytes, element: Element, at: int, order: str) -> tuple[dict[str, np.ndarray], int]:
    """The properties of the record that begins at ``at``, and where it ends."""
    found = {}
    for p in element.properties:
        size = 1
        if p.length:
            size = int(np.frombuffer(content, order + p.length, 1, at)[0])
            at += np.dtype(p.length).itemsize
        if size < 0:
            raise MeshError("is damaged: a list has fewer than no entries.")
        found[p.name] = np.frombuffer(content, order + p.kind, size, at) if size else np.zeros(0, p.kind)
        at += found[p.name].nbytes
    return found, at


def _even_kind(element: Element, lengths: dict[str, int], order: str) -> np.dtype:
    """Of records whose lists have these lengths."""
    fields: list[tuple] = []
    for p in element.properties:
        if p.length:
            fields += [(f"{p.name} length", order + p.length), (p.name, order + p.kind, (lengths[p.name],))]
        else:
            fields.append((p.name, order + p.kind))
    return np.dtype(fields)


def _ascii_tables(content: bytes, elements: list[Element], at: int) -> list[Table]:
    tables: list[Table] = []
    for element in elements:
        element.start = at
        table: dict[str, list] = {p.name: [] for p in element.properties}
        for _ in range(element.count):
            stop = content.find(b"\n", at)
            stop = len(content) if stop < 0 else stop
            words = content[at:stop].split()
            at = min(stop + 1, len(content))
            for p in element.properties:
                size = 1
                if p.length:
                    size, words = int(words[0]), words[1:]
                if len(words) < size or size < 0:
                    raise MeshError("is damaged: it ends before its last record.")
                values = np.array([float(word) for word in words[:size]])
                table[p.name].append(values if p.length else values[0])
                words = words[size:]
        element.stop = at
        tables.append({p.name: table[p.name] if p.length else np.array(table[p.name]) for p in element.properties})
    return tables


def _records(content: bytes, element: Element, new: dict[str, np.ndarray], order: str) -> bytes:
    """The vertices' records with new numbers in some columns."""
    if not element.plain:
        raise MeshError("has vertices with lists, which cannot be moved.")
    if order:
        kind = np.dtype([(p.name, order + p.kind) for p in element.properties])
        changed = np.frombuffer(content, kind, element.count, element.start).copy()
        for name, values in new.items():
            changed[name] = values
        return changed.tobytes()
    rows = [row.split() for row in content[element.start : element.stop].decode("latin-1").splitlines()]
    for column, p in enumerate(element.properties):
        if p.name in new:
            for row, value in zip(rows, new[p.name].tolist(), strict=True):
                row[column] = f"{value:.9g}"
    return "".join(" ".join(row) + "\n" for row in rows).encode("latin-1")


def _triangles(elements: list[Element], tables: list[dict[str, list | np.ndarray]]) -> np.ndarray:
    """Of the faces' corners, whatever else a face has, and of triangle strips."""
    found = [np.zeros((0, 3), dtype=int)]
    for element, table in zip(elements, tables, strict=True):
        corners = next((table[name] for name in CORNERS if name in table), None)
        if element.name == "face" and corners is not None and len(corners):
            if isinstance(corners, np.ndarray) and corners.ndim == 2 and corners.shape[1] == 3:
                found.append(corners.astype(int))
            else:
                found.append(fans(*_joined(corners)))
        elif element.name == "tristrips" and corners is not None and len(corners):
            for strip in corners:
                runs = np.split(np.asarray(strip, dtype=int), np.flatnonzero(np.asarray(strip) == -1))
                found += [strips(*_joined([run[run >= 0]])) for run in runs]
    return np.concatenate(found)


def _joined(lists: list | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes = [len(corners) for corners in lists]
    return np.concatenate([np.asarray(c, dtype=int) for c in lists]), np.concatenate([[0], np.cumsum(sizes)]).astype(
        int
    )
