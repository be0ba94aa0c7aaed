"""Points in files: CSV tables, Slicer markups (.mrk.json) and its older fiducials (.fcsv), all else in them kept."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import DsirError
from ..geometry.plausible import plausible
from .atomic import write_text
from .headers import check_file
from .tables import as_number, delimiter, has_decimal_commas, text_of

COLUMNS = {("r", "a", "s"): 1.0, ("x", "y", "z"): 1.0, ("l", "p", "s"): -1.0}
"""Names of coordinate columns, and the sign that turns their first two into RAS. ``x,y,z`` are RAS, as in NIfTI."""

POINT_MARKUPS = ("Fiducial", "Line", "Angle", "Curve", "ClosedCurve")


@dataclass(frozen=True, eq=False)
class PointFile:
    """Points and the file they came from.

    Attributes:
        points: (N, 3) RAS mm.
        rebuild: gives the file's text with other points (N, 3) in place.
        colour: red, green, blue, 0 to 255, where the file says how they are shown.
        suffix: of the file, small letters.
    """

    points: np.ndarray
    rebuild: Callable[[np.ndarray], str] = field(repr=False)
    colour: tuple[int, int, int] | None = None
    suffix: str = ".csv"

    def write(self, path: str | Path, points: np.ndarray) -> None:
        """Write a copy of the file that holds ``points`` (N, 3), RAS mm, in the original's columns and coordinates.

        Raises:
            DsirError: the name says another kind of file.
        """
        if Path(path).suffix.lower() != self.suffix:
            raise DsirError(f"{path}: these points were read as {self.suffix or 'a table'} and are written as such.")
        write_text(path, self.rebuild(np.asarray(points, dtype=np.float64)))


def read_points(path: str | Path) -> PointFile:
    """Read points (mm) from a CSV, a Slicer markups file or its older fiducials.

    Slicer's own tables have a column ``defined``: points where it is 0 have no place and are left alone.

    Numbers may have a comma for their point where semicolons or tabs stand between them.

    CSV: a header with ``r,a,s`` or ``x,y,z`` (both RAS) or ``l,p,s`` (LPS) among its columns, in any case; or no header
    and three numbers a line (RAS). Markups: the file's ``coordinateSystem`` counts; undefined points are left alone.
    Fiducials: the line ``# CoordinateSystem`` counts; a file without it is RAS, as Slicer reads it.

    Raises:
        DsirError: missing, neither of the two kinds, no points, or coordinates that no patient has.
    """
    path = Path(path)
    check_file(path)
    try:
        text = text_of(path)
    except UnicodeDecodeError:
        raise DsirError(f"{path} is not a text file; points are read from .csv and .mrk.json.") from None
    kinds = {".json": _markups, ".fcsv": _fiducials}
    found = replace(kinds.get(path.suffix.lower(), _table)(path, text), suffix=path.suffix.lower())
    if not len(found.points):
        raise DsirError(f"{path} holds no points.")
    if not plausible(found.points):
        raise DsirError(f"{path} holds coordinates that are not finite numbers, or more than a kilometre away.")
    return found


def _table(path: Path, text: str) -> PointFile:
    lines = [line for line in text.splitlines() if line.strip()]
    notes = [line for line in lines if line.startswith(("#", "sep="))]  # Excel's own first line
    mark = delimiter(next((line for line in lines if line not in notes), ""))
    cells = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows = [row for row in cells if any(cell.strip() for cell in row) and not row[0].startswith(("#", "sep="))]
    if not rows:
        raise DsirError(f"{path} is empty.")
    names = [cell.strip().lower() for cell in rows[0]]
    if any(cell.strip() for row in rows for cell in row[len(names) :]):
        raise DsirError(f"{path} has a line with more cells than its first; are there commas within numbers?")
    header = not _is_number(names[0]) or not all(_is_number(name) for name in names[:3])
    if header:
        kinds = [kind for kind in COLUMNS if all(name in names for name in kind)]
        if not kinds:
            raise DsirError(f"{path} has no columns r,a,s or x,y,z or l,p,s; its header is {','.join(rows[0])}.")
        kind = kinds[0]
        if len(kinds) > 1 or any(names.count(name) > 1 for name in kind):
            raise DsirError(f"{path} has a column of coordinates twice; its header is {','.join(rows[0])}.")
        if names[:4] == ["x", "y", "z", "t"]:
            raise DsirError(f"{path} has the columns x,y,z,t of ANTs, which counts in LPS; call them l,p,s (or r,a,s).")
        columns, sign = [names.index(name) for name in kind], COLUMNS[kind]
    elif sum(map(_is_number, names)) > 3:
        raise DsirError(f"{path} has no header and more than three numbers a line; are there commas within numbers?")
    else:
        columns, sign = [0, 1, 2], 1.0
    said = {word.upper() for note in notes for word in re.findall(r"\b(?:LPS|RAS)\b", note, re.IGNORECASE)}
    if said == {"LPS"} and (not header or kind == ("x", "y", "z")):
        raise DsirError(f"{path} says LPS in a comment, but its columns are read as RAS; call them l,p,s (or r,a,s).")
    defined = names.index("defined") if header and "defined" in names else None
    moving = [row for row in rows[int(header) :] if not _is_undefined(row, defined)]
    flip = np.array([sign, sign, 1.0])
    try:
        written = [[row[c].strip() for c in columns] for row in moving]
        comma = has_decimal_commas((cell for row in written for cell in row), mark)
        points = np.array([[as_number(cell, comma=comma) for cell in row] for row in written]).reshape(-1, 3) * flip
    except (ValueError, IndexError):
        raise DsirError(f"{path} has a line without three numbers for its coordinates.") from None

    def rebuild(moved: np.ndarray) -> str:
        new = {id(row): point for row, point in zip(moving, moved * flip, strict=True)}
        out = []
        for row in rows:
            copied = list(row)
            for column, value in zip(columns, new.get(id(row), ()), strict=False):
                copied[column] = f"{value + 0.0:.4f}".replace(".", "," if comma else ".")
            out.append(copied)
        buffer = io.StringIO()
        buffer.writelines(f"{note}\n" for note in notes)
        csv.writer(buffer, delimiter=mark, lineterminator="\n").writerows(out)
        return buffer.getvalue()

    return PointFile(points, rebuild)


def _fiducials(path: Path, text: str) -> PointFile:
    """Slicer's .fcsv: comments with the coordinate system, then id,x,y,z,... a line."""
    lines = text.splitlines()
    said = [line.partition("=")[2].strip() for line in lines if line.lower().startswith("# coordinatesystem")]
    flip = _flip(path, {"coordinateSystem": said[0] if said else "RAS"})
    rows = [number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    cells = {number: next(csv.reader([lines[number]])) for number in rows}
    try:
        points = np.array([[float(cell) for cell in cells[number][1:4]] for number in rows]).reshape(-1, 3) * flip
    except ValueError:
        raise DsirError(f"{path} has a line without three numbers for its coordinates.") from None

    def rebuild(moved: np.ndarray) -> str:
        out = list(lines)
        for number, point in zip(rows, moved * flip, strict=True):
            row = list(cells[number])
            row[1:4] = [f"{value + 0.0:.4f}" for value in point]
            buffer = io.StringIO()
            csv.writer(buffer, lineterminator="").writerow(row)
            out[number] = buffer.getvalue()
        return "\n".join(out) + "\n"

    return PointFile(points, rebuild)


def _markups(path: Path, text: str) -> PointFile:
    try:
        content = json.loads(text)
        markups = content["markups"]
        places = [
            (m, p)
            for m, markup in enumerate(markups)
            for p, point in enumerate(markup.get("controlPoints", []))
            if point.get("positionStatus", "defined") == "defined"
        ]
        odd = sorted({markup.get("type", "") for markup in markups} - set(POINT_MARKUPS))
        if odd:
            raise DsirError(f"{path} holds markups of type {odd[0]}; points, lines, angles and curves can be moved.")
        flips = [_flip(path, markup) for markup in markups]
        points = [_position(markups[m]["controlPoints"][p]["position"]) * flips[m] for m, p in places]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise DsirError(f"{path} is not a Slicer markups file.") from None

    def rebuild(moved: np.ndarray) -> str:
        new = copy.deepcopy(content)
        for (m, p), point in zip(places, moved, strict=True):
            new["markups"][m]["controlPoints"][p]["position"] = [round(float(v), 6) for v in point * flips[m]]
        return json.dumps(new, indent=4, ensure_ascii=False)

    return PointFile(np.array(points).reshape(-1, 3), rebuild, _colour(markups))


def _position(given: list[float]) -> np.ndarray:
    """(3,) of a control point; one that has no place is null in Slicer's files, and refused with the numbers.

    Raises:
        ValueError: it is not three numbers.
    """
    position = np.full(3, np.nan) if given is None else np.array(given, dtype=float)
    if position.shape != (3,):
        raise ValueError
    return position


def _colour(markups: list[dict]) -> tuple[int, int, int] | None:
    try:
        red, green, blue = (min(max(round(255 * float(c)), 0), 255) for c in markups[0]["display"]["selectedColor"])
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None
    return red, green, blue


def _flip(path: Path, markup: dict) -> np.ndarray:
    """Signs to RAS of a markup's own coordinate system (Slicer writes LPS, and took RAS as 0 in early files)."""
    system = str(markup.get("coordinateSystem", "LPS")).upper()
    if system not in ("LPS", "RAS", "0", "1"):
        raise DsirError(f"{path} is in the coordinate system {system}; LPS and RAS are known.")
    units = markup.get("coordinateUnits", "mm")
    if isinstance(units, list):  # a code: value, scheme, meaning, as in ["mm", "UCUM", "millimeter"]
        units = units[0] if units else "mm"
    if units != "mm":
        raise DsirError(f"{path} is in {units}; coordinates in mm are needed.")
    sign = 1.0 if system in ("RAS", "0") else -1.0
    return np.array([sign, sign, 1.0])


def _is_undefined(row: list[str], column: int | None) -> bool:
    """Whether a row of Slicer's table says that its point has no place yet."""
    return column is not None and column < len(row) and row[column].strip().lower() in ("0", "false")


def _is_number(text: str) -> bool:
    try:
        as_number(text, comma=True)
    except ValueError:
        return False
    return True
