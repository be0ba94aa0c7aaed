"""VTK's XML surfaces (.vtp, .vtu): inline or appended, ASCII, base64 or raw, plain or zlib.

The changed arrays are written inline; appended data stays byte for byte, so all other offsets stay true.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from .parts import MeshError, MeshParts, as_text, fans, strips

KINDS = {
    **{f"Int{n}": f"i{n // 8}" for n in (8, 16, 32, 64)},
    **{f"UInt{n}": f"u{n // 8}" for n in (8, 16, 32, 64)},
    **{"Float32": "f4", "Float64": "f8", "String": "u1"},
}
BLOCK = 32768
"""Bytes of a compressed block, as VTK's writer cuts them."""


@dataclass(frozen=True)
class Coding:
    """How a file codes its arrays, from the attributes of its root element."""

    order: str
    header: np.dtype
    zipped: bool
    appended: bytes
    raw: bool


def parse(content: bytes) -> MeshParts:
    """Points and point normals of all pieces."""
    cut = content.find(b"<AppendedData")
    head, tail = (content[:cut], content[cut:]) if cut >= 0 else (content, b"")
    if b"<!" in head.replace(b"<!--", b""):
        raise MeshError("declares entities or a document type, which no surface of VTK does.")
    try:
        root = ElementTree.fromstring(head + (b"</VTKFile>" if tail else b""))
    except ElementTree.ParseError:
        raise MeshError("is damaged or not an XML surface of VTK.") from None
    coding = _coding(root, tail)
    places = root.findall(".//Points/DataArray")
    if not places:
        raise MeshError("holds no points: it is not a surface.")
    directions = _point_normals(root)
    points = [_decode(element, coding).reshape(-1, 3) for element in places]
    normals = [_decode(element, coding).reshape(-1, 3) for element in directions]
    whole = np.concatenate(normals) if len(normals) == len(points) else None
    splits = np.cumsum([len(p) for p in points])[:-1]

    def rebuild(new_points: np.ndarray, new_normals: np.ndarray | None) -> bytes:
        for element, values in zip(places, np.split(new_points, splits), strict=True):
            _encode(element, values, coding)
        if new_normals is not None and whole is not None:
            for element, values in zip(directions, np.split(new_normals, splits), strict=True):
                _encode(element, values, coding)
        text = b'<?xml version="1.0"?>\n' + ElementTree.tostring(root)
        return text[: text.rindex(b"</VTKFile>")] + tail if tail else text

    comment = f"SPACE={_space(root, coding)}"
    return MeshParts(
        np.concatenate(points), whole, comment, rebuild, _triangles(root, [len(p) for p in points], coding)
    )


def _triangles(root: ElementTree.Element, counts: list[int], coding: Coding) -> np.ndarray:
    """(M, 3) of all pieces, whose points lie one after the other."""
    found, before = [np.zeros((0, 3), dtype=int)], 0
    for piece, count in zip(root.iter("Piece"), counts, strict=False):
        for name, cut in (("Polys", fans), ("Strips", strips)):
            arrays = {e.get("Name"): _decode(e, coding).astype(int) for part in piece.iter(name) for e in part}
            if len(arrays.get("offsets", ())):
                corners, offsets = arrays["connectivity"], np.concatenate([[0], arrays["offsets"]])
                found.append(cut(corners, offsets) + before)
        before += count
    return np.concatenate(found)


def _coding(root: ElementTree.Element, tail: bytes) -> Coding:
    compressor = root.get("compressor", "")
    if compressor not in ("", "vtkZLibDataCompressor"):
        raise MeshError(f"is compressed by {compressor}; zlib and no compression are supported.")
    order = "<" if root.get("byte_order", "LittleEndian") == "LittleEndian" else ">"
    header = np.dtype(order + KINDS[root.get("header_type", "UInt32")])
    start = tail.find(b"_") + 1
    stop = tail.rfind(b"</AppendedData>")
    raw = b'encoding="raw"' in tail[: tail.find(b">") + 1]
    return Coding(order, header, bool(compressor), tail[start:stop], raw)


def _point_normals(root: ElementTree.Element) -> list[ElementTree.Element]:
    found = []
    for data in root.iter("PointData"):
        name = data.get("Normals", "Normals")
        found += [e for e in data if e.get("Name") == name and e.get("NumberOfComponents") == "3"]
    return found


def _space(root: ElementTree.Element, coding: Coding) -> str:
    """What the field data's SPACE array says, as Slicer writes it."""
    element = root.find(".//FieldData/*[@Name='SPACE']")
    return "" if element is None else "".join(chr(int(c)) for c in _decode(element, coding) if c)


def _decode(element: ElementTree.Element, coding: Coding) -> np.ndarray:
    """The numbers of a DataArray, float64."""
    how, kind = element.get("format", "ascii"), KINDS[element.get("type", "")]
    if how == "ascii":
        return np.array((element.text or "").split(), dtype=np.float64)
    if how == "binary":
        data = _unpack((element.text or "").strip().encode("ascii"), coding, raw=False)
    else:
        data = _unpack(coding.appended[int(element.get("offset", "0")) :], coding, raw=coding.raw)
    return np.frombuffer(data, coding.order + kind).astype(np.float64)


def _unpack(data: bytes, coding: Coding, *, raw: bool) -> bytes:
    """Bytes of one array from its block header and what follows."""
    if not coding.zipped:
        (length,), rest = _header(data, coding, 1, raw)
        size = coding.header.itemsize
        if not raw and not data[: -(-size // 3) * 4].endswith(b"="):  # header and data coded as one
            return _from_base64(data, size + length)[size:]
        return (rest if raw else _from_base64(rest, length))[:length]
    (blocks,), _ = _header(data, coding, 1, raw)
    if blocks == 0:
        return b""
    header, rest = _header(data, coding, 3 + blocks, raw)
    lengths = header[3:]
    packed = rest if raw else _from_base64(rest, sum(lengths))
    out, at = [], 0
    for length in lengths:
        try:
            out.append(zlib.decompress(packed[at : at + length]))
        except zlib.error:
            raise MeshError("is damaged: its compressed data is broken.") from None
        at += length
    return b"".join(out)


def _header(data: bytes, coding: Coding, count: int, raw: bool) -> tuple[list[int], bytes]:
    """``count`` header numbers and the data after them (in base64 a header coded for itself ends in padding)."""
    length = count * coding.header.itemsize
    if raw:
        return np.frombuffer(data, coding.header, count).tolist(), data[length:]
    letters = -(-length // 3) * 4
    return np.frombuffer(base64.b64decode(data[:letters])[:length], coding.header).tolist(), data[letters:]


def _from_base64(data: bytes, length: int) -> bytes:
    return base64.b64decode(data[: -(-length // 3) * 4])[:length]


def _encode(element: ElementTree.Element, values: np.ndarray, coding: Coding) -> None:
    """Put new numbers into a DataArray, inline; ranges that no longer hold go."""
    for child in list(element):
        element.remove(child)
    for name in ("offset", "RangeMin", "RangeMax"):
        element.attrib.pop(name, None)
    if element.get("format") == "ascii":
        element.text = "\n" + as_text(values) + "\n"
        return
    element.set("format", "binary")
    data = values.astype(coding.order + KINDS[element.get("type", "")]).tobytes()
    if coding.zipped:
        blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
        packed = [zlib.compress(block) for block in blocks]
        last = len(data) % BLOCK  # 0 when the last block is a whole one, as VTK has it
        header = [len(blocks), BLOCK, last, *(len(block) for block in packed)]
        data = b"".join(packed)
    else:
        header = [len(data)]
    coded = base64.b64encode(np.array(header, coding.header).tobytes()) + base64.b64encode(data)
    element.text = "\n" + coded.decode("ascii") + "\n"
