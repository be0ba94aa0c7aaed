"""DICOM files read with care: no attribute is taken for granted, no file ends a run with a traceback."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from ..errors import Cancelled, DsirError


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Whatever pydicom stumbles over inside (it decodes an element when it is asked for) becomes one sentence.

    Raises:
        DsirError: in the place of any other error.
    """
    try:
        yield
    except (DsirError, Cancelled, MemoryError):
        raise
    except Exception:
        raise DsirError(f"{path} is a damaged DICOM file.") from None


def read_header(path: Path) -> Dataset | None:
    """Everything but the pixels; None for what is no DICOM object.

    Files without preamble and meta information are read too, if they begin like a data set of images.
    """
    header = _read(path, stop_before_pixels=True)
    if header is None or ("SOPClassUID" not in header and "Rows" not in header and "Modality" not in header):
        return None
    return header


def read_whole(path: Path) -> Dataset | None:
    """A data set with its pixels; None for what is no DICOM object."""
    return _read(path, stop_before_pixels=False)


def read_object(path: Path, modality: str, called: str) -> Dataset:
    """A whole data set of one kind of object, with or without a preamble.

    Args:
        modality: that it must have, "RTSTRUCT" say.
        called: the same with its article, for the sentence: "an RTSTRUCT".

    Raises:
        DsirError: missing, not DICOM, damaged, or another kind of object.
    """
    if not path.is_file():
        raise DsirError(f"{path} is not a file." if path.exists() else f"{path} does not exist.")
    dataset = read_whole(path)
    if dataset is None:
        raise DsirError(f"{path} is {'a damaged' if says_dicom(path) else 'not a'} DICOM file.")
    found = text(dataset, "Modality").upper()
    if found != modality:
        raise DsirError(f"{path} is not {called} but {found[:16] or 'something else'}.")
    return dataset


def says_dicom(path: Path) -> bool:
    """Whether a file says at its beginning that it is DICOM; asked before anything is parsed."""
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _read(path: Path, *, stop_before_pixels: bool) -> Dataset | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open(path, "rb") as file:
                start = file.read(132)
            named = start[128:132] == b"DICM"
            first_tag = start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\0"  # of group 2 or 8
            if not named and not (first_tag and len(start) >= 8):
                return None
            return pydicom.dcmread(path, stop_before_pixels=stop_before_pixels, force=not named)
    except Exception:  # pydicom raises whatever its parsing stumbles over
        return None


LONGEST_TEXT = 256
"""Characters of an attribute that are kept: names, codes and UIDs are at most 64 (PS3.5); a damaged file says more."""


def text(item: Dataset, name: str) -> str:
    """An attribute as printable text; empty where it is missing, empty or broken."""
    try:
        value = item.get(name)
    except Exception:
        return ""
    if value is None:
        return ""
    if isinstance(value, (list, tuple, pydicom.multival.MultiValue)):
        value = "\\".join(str(v) for v in value)
    return "".join(c for c in str(value) if c.isprintable()).strip()[:LONGEST_TEXT]


def numbers(item: Dataset, name: str, count: int) -> np.ndarray | None:
    """An attribute as (count,) finite numbers; None where it is missing, broken or of another length."""
    try:
        value = item.get(name)
        if value is None or value == "":
            return None
        found = np.atleast_1d(np.array(value, dtype=np.float64)).ravel()
    except Exception:
        return None
    return found if found.shape == (count,) and np.isfinite(found).all() else None


def number(item: Dataset, name: str) -> float | None:
    """An attribute as one finite number, or None."""
    found = numbers(item, name, 1)
    return None if found is None else float(found[0])


def whole(item: Dataset, name: str) -> int | None:
    """An attribute as a whole number, or None."""
    found = number(item, name)
    return None if found is None or found != round(found) else int(found)


def items(item: Dataset, name: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing or broken."""
    try:
        value = item.get(name)
        return list(value) if value is not None else []
    except Exception:
        return []


def first(item: Dataset, *path: str) -> Dataset | None:
    """The first item of a sequence within a sequence ...; None where one is missing."""
    for name in path:
        found = items(item, name)
        if not found:
            return None
        item = found[0]
    return item
