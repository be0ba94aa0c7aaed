"""Many patients with two studies each: which study is the new one, from folders or from a list."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..dicom.dataset import read_header, text
from ..errors import DsirError
from ..files.tables import read_table
from .pairs import check_name

COLUMNS = ("name", "fixed_study", "moving_study")
"""Of a list of patients."""

NAMED = {"fixed": 0, "new": 0, "moving": 1, "old": 1}
"""Names of a patient's two folders that say which is which; else the dates of the studies do."""

LOOKED_AT = 50
"""Files of a study that are opened at most until one tells its date."""


@dataclass(frozen=True)
class TwoStudies:
    """One patient.

    Attributes:
        fixed, moving: folders of the new and of the old study.
        refused: why the patient cannot be planned; empty where that may be tried.
    """

    fixed: Path
    moving: Path
    refused: str = ""


def find_studies(root: Path) -> dict[str, TwoStudies]:
    """Name to patient, from a folder with a folder for each, or from a CSV list.

    A patient whose folder cannot be understood is refused by itself; the others are not.

    Raises:
        DsirError: no such folder or list, nothing in it, or names that cannot be folders'.
    """
    if not root.exists():
        raise DsirError(f"{root} does not exist.")
    found = _in_folder(root) if root.is_dir() else _in_list(root)
    if not found:
        what = "folders of patients" if root.is_dir() else "patients"
        raise DsirError(f"{root} holds no {what}.")
    return found


def _in_folder(root: Path) -> dict[str, TwoStudies]:
    found: dict[str, TwoStudies] = {}
    for folder in _folders(root):
        check_name(folder.name, found)
        try:
            found[folder.name] = TwoStudies(*_new_and_old(folder))
        except DsirError as error:
            found[folder.name] = TwoStudies(folder, folder, str(error))
    return found


def _in_list(path: Path) -> dict[str, TwoStudies]:
    columns, lines = read_table(path, "The list of patients")
    if sorted(columns) != sorted(COLUMNS):
        raise DsirError(
            f"{path} has the columns {', '.join(columns) or 'none'}; those needed are {', '.join(COLUMNS)}."
        )
    found: dict[str, TwoStudies] = {}
    for number, cells, surplus, _ in lines:
        place = f"{path}, line {number}"
        if not all(cells.get(column) for column in COLUMNS) or surplus:
            raise DsirError(f"{place}: give one name, one fixed study and one moving study.")
        name, *studies = (cells[column] for column in COLUMNS)
        try:
            check_name(name, found)
        except DsirError as error:
            raise DsirError(f"{place}: {error}") from None
        fixed, moving = (Path(os.path.normpath(path.resolve().parent / study)) for study in studies)
        found[name] = TwoStudies(fixed, moving)
    return found


def _new_and_old(patient: Path) -> tuple[Path, Path]:
    """By the folders' names, else by the dates of the studies.

    Raises:
        DsirError: not two folders, or nothing tells which is the new one.
    """
    folders = _folders(patient)
    if len(folders) != 2:
        raise DsirError(f"The patient's folder {patient.name} holds {len(folders)} folders instead of two studies.")
    called = {NAMED.get(folder.name.lower()): folder for folder in folders}
    if set(called) == {0, 1}:
        return called[0], called[1]
    dates = {_date(folder): folder for folder in folders}
    if len(dates) != 2 or "" in dates:
        names = " and ".join(folder.name for folder in folders)
        raise DsirError(
            f"Nothing tells which of {names} in {patient.name} is the new study: they have no two dates; call the "
            "folders new and old, or give a list."
        )
    old, new = sorted(dates)
    return dates[new], dates[old]


def _date(study: Path) -> str:
    """Study Date of the first file that tells it; empty where none does."""
    for number, file in enumerate(_files(study)):
        header = read_header(file)
        if header is not None and (said := text(header, "StudyDate")):
            return said
        if number >= LOOKED_AT:
            break
    return ""


def _files(study: Path) -> Iterable[Path]:
    return (Path(folder) / name for folder, _, names in sorted(os.walk(study)) for name in sorted(names))


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
