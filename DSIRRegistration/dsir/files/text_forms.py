"""Where an NRRD or MetaImage file lies, as far as its header says it: what is left out is made up by every reader."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DsirError
from .headers import HEADER, head_of, nrrd_fields

ANATOMICAL = ("left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las")
MILLIMETRES = ("mm", "millimeter", "millimetre", "millimeters", "millimetres")

ONE, ZERO = (b"1", b"1.0"), (b"0", b"0.0", b"-0")

AXES = "axes along the patient's left, back and head"


def text_form_remarks(path: Path) -> tuple[str, ...]:
    """What a reader must know of where the file lies; no sentence where its header says all of it."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEADER)
    except OSError:
        return ()
    if head.startswith(b"NRRD"):
        return _nrrd(path, nrrd_fields(head))
    return _meta(path, head) if re.search(rb"^\s*NDims\s*=", head[:4096], re.MULTILINE) else ()


def check_axes(path: Path, head: bytes) -> None:
    """Refuse a volume of which the header says that an axis is no direction in space.

    Raises:
        DsirError: that is so.
    """
    fields = nrrd_fields(head)
    if fields.get("dimension") == "3" and "none" in fields.get("space directions", "").lower():
        raise DsirError(f"{path} has an axis that is no direction in space; a 3-D volume is needed.")


def _nrrd(path: Path, fields: dict[str, str]) -> tuple[str, ...]:
    lacking = []
    if "space directions" not in fields:
        sizes = fields.get("spacings", "nan").lower().split()
        whole = "" if "nan" not in sizes else " and how large its voxels are"
        lacking.append((f"how its axes lie{whole}", AXES + (", voxels of 1 mm" if whole else "")))
    if "space origin" not in fields:
        lacking.append(("where it lies", "its first voxel at the origin"))
    space = fields.get("space", "").lower()
    if "space directions" in fields and space not in ANATOMICAL:
        lacking.append(("what its directions are of the patient", "left, posterior, superior"))
    return tuple(_made_up(path, lacking) + _in_mm(path))


def unit(path: Path) -> str:
    """In what an NRRD or MetaImage file counts, where its header says another unit than mm; else empty."""
    head = head_of(path)
    if head.startswith(b"NRRD"):
        units = re.findall(r'"([^"]*)"', nrrd_fields(head).get("space units", ""))
    else:
        units = [word.decode("ascii", "replace") for word in re.findall(UNITS, head[:4096], re.MULTILINE)]
    return next((unit for unit in sorted(units) if unit and unit.lower() not in (*MILLIMETRES, "?")), "")


UNITS = rb"^\s*(?i:DistanceUnits)\s*=\s*(\S+)"


def _in_mm(path: Path) -> list[str]:
    said = unit(path)
    return [f"{path.name} counts in {said}; it was read in mm all the same, as ITK and Slicer do."] if said else []


def _made_up(path: Path, lacking: list[tuple[str, str]]) -> list[str]:
    """One sentence of what a header does not say, and what was taken instead."""
    if not lacking:
        return []
    whats, taken = (", ".join(words) for words in zip(*lacking, strict=True))
    return [f"{path.name} does not say {whats}: that is made up, as ITK and Slicer do ({taken})."]


def _contradicted(path: Path, head: bytes) -> list[str]:
    """Where the letters of a MetaImage are neither those from which its axes run (as ITK writes them) nor those to
    which they run (as MetaIO's documentation has it): every reader goes by the matrix."""
    letters = re.search(
        rb"^\s*AnatomicalOrientation\s*=\s*([RLAPIS]{3})\s*$", head[:4096], re.MULTILINE | re.IGNORECASE
    )
    matrix = re.search(rb"^\s*(?:TransformMatrix|Rotation|Orientation)\s*=([^\r\n]*)", head[:4096], re.MULTILINE)
    axes = [float(number) for number in (matrix[1].split() if matrix else ())]
    if letters is None or len(axes) != 9:
        return []
    start = ""
    for axis in (axes[:3], axes[3:6], axes[6:]):
        most = max(range(3), key=lambda n: abs(axis[n]))
        start += ("RAI" if axis[most] > 0 else "LPS")[most]
    said = letters[1].decode().upper()
    if said in (start, start.translate(str.maketrans("RLAPIS", "LRPASI"))):
        return []
    return [
        f"{path.name} says twice how its axes lie: its matrix has them run from {start}, its letters are {said}. "
        "Taken was the matrix, as ITK and Slicer do."
    ]


def _meta(path: Path, head: bytes) -> tuple[str, ...]:
    def lacks(*names: bytes) -> bool:
        found = re.search(rb"^\s*(" + b"|".join(names) + rb")\s*=", head[:4096], re.MULTILINE | re.IGNORECASE)
        return found is None

    lacking = []
    if lacks(b"TransformMatrix", b"Rotation", b"Orientation"):
        lacking.append(("how its axes lie", AXES))
    if lacks(b"Offset", b"Position", b"Origin"):
        lacking.append(("where it lies", "its first voxel at the origin"))
    if lacks(b"ElementSpacing", b"ElementSize"):
        lacking.append(("how large its voxels are", "voxels of 1 mm"))
    scaled = dict(re.findall(rb"^\s*ElementToIntensityFunction(Slope|Offset)\s*=\s*(\S+)", head[:4096], re.MULTILINE))
    said = _made_up(path, lacking) + _in_mm(path) + _contradicted(path, head)
    if scaled.get(b"Slope", b"1") not in ONE or scaled.get(b"Offset", b"0") not in ZERO:
        said.append(
            f"{path.name} names a slope and an offset of its values; they were read without, as ITK and Slicer do."
        )
    return tuple(said)
