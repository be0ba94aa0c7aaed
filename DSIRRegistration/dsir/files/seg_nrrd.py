"""NRRD files with their key/value pairs in UTF-8, as Slicer writes segmentations.

ITK gives no access to non-ASCII pairs and pynrrd drops them, so that a segment named "Läsion" would come back as
"Lsion"; the format is a page of text before gzipped voxels.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import DsirError
from .atomic import complete_file

TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
}
"""Integer types; a segmentation has no others."""

TO_RAS = {"left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1), "right-anterior-superior": (1, 1, 1)}
TO_RAS |= {"ras": (1, 1, 1), "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1)}


def read(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Layers (L, I, J, K), the index-to-RAS affine (4, 4), and the key/value pairs.

    Raises:
        DsirError: missing, damaged, or not a segmentation of three dimensions and layers.
    """
    if not path.is_file():
        raise DsirError(f"{path} does not exist.")
    try:
        fields, pairs, body = _parts(path.read_bytes())
        sizes = [int(n) for n in fields["sizes"].split()]
        order = ">" if fields.get("endian") == "big" else "<"
        data = gzip.decompress(body) if fields["encoding"] in ("gzip", "gz") else body
        kind = np.dtype(order + TYPES[fields["type"]])
        values = np.frombuffer(data, kind, int(np.prod(sizes))).reshape(sizes, order="F")
        vectors = re.findall(r"none|\([^)]*\)", fields["space directions"])
        columns = [_vector(v) for v in vectors if v != "none"]
        flip = np.array(TO_RAS[fields["space"].lower()], dtype=np.float64)
        affine = np.eye(4)
        affine[:3, :3] = np.stack(columns, -1) * flip[:, None]
        affine[:3, 3] = _vector(fields["space origin"]) * flip
    except (KeyError, ValueError, UnicodeDecodeError, EOFError, OSError, zlib.error):
        raise DsirError(f"{path} is damaged or not a Slicer segmentation.") from None
    if values.ndim == 3:
        values = values[None]
    return values, affine, pairs


def write(path: str | Path, values: np.ndarray, affine: np.ndarray, pairs: Mapping[str, str]) -> None:
    """Write layers (L, I, J, K) of uint8 or int16, gzipped; a single one in three dimensions, as Slicer does."""
    lps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3]
    layered = values.shape[0] > 1
    values = values if layered else values[0]
    directions = " ".join(_text(lps[:, axis]) for axis in range(3))
    lines = [
        "NRRD0004",
        f"type: {'unsigned char' if values.dtype == np.uint8 else 'short'}",
        f"dimension: {values.ndim}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(n) for n in values.shape)}",
        f"space directions: {'none ' if layered else ''}{directions}",
        f"kinds: {'list ' if layered else ''}domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_text(lps[:, 3])}",
        *(f"{key}:={_escaped(value)}" for key, value in pairs.items()),
    ]
    data = values.astype(values.dtype.newbyteorder("<")).tobytes(order="F")
    with complete_file(path) as temporary:
        temporary.write_bytes("\n".join(lines).encode() + b"\n\n" + gzip.compress(data, 6, mtime=0))


def _parts(content: bytes) -> tuple[dict[str, str], dict[str, str], bytes]:
    """Fields (lower case), key/value pairs, and what follows the header."""
    if not content.startswith(b"NRRD"):
        raise ValueError("no magic")
    end = re.search(rb"\r?\n\r?\n", content)
    if end is None:
        raise ValueError("no end of header")
    fields, pairs = {}, {}
    for line in content[: end.start()].decode("utf-8").splitlines()[1:]:
        if line.startswith("#"):
            continue
        key, mark, value = line.partition(":=")
        if mark:
            pairs[key] = value.replace("\\n", "\n").replace("\\\\", "\\")
        else:
            key, _, value = line.partition(":")
            fields[key.strip().lower()] = value.strip()
    return fields, pairs, content[end.end() :]


def _vector(text: str) -> np.ndarray:
    return np.array([float(part) for part in text.strip("()").split(",")])


def _text(vector: np.ndarray) -> str:
    return f"({','.join(repr(float(v)) for v in vector)})"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
