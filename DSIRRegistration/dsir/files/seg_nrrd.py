"""Slicer's segmentations (.seg.nrrd) through ITK, as Slicer itself reads and writes them: names in any script stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import DsirError
from ..geometry.lattice import Lattice, as_shape
from . import itk
from .atomic import complete_file
from .headers import check_file, head_of


def is_slicer_segmentation(path: Path) -> bool:
    """Whether a file is one by its header or its name: what is exported as ``.nrrd`` keeps names and layers, too."""
    if path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")):
        return True
    if path.suffix.lower() not in (".nrrd", ".nhdr") or not path.is_file():
        return False
    head = head_of(path)
    return head.startswith(b"NRRD") and re.search(rb"^Segment0_ID:=", head, re.MULTILINE) is not None


def read(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Layers (L, I, J, K) of whole numbers, the index-to-RAS affine (4, 4), and the key/value pairs.

    Raises:
        DsirError: missing, damaged, not of three dimensions and layers, or with values that are no labels.
    """
    check_file(path)
    if not head_of(path).startswith(b"NRRD"):
        raise DsirError(f"{path} is damaged or not a Slicer segmentation.")
    image = itk.read_image(path)
    values = sitk.GetArrayViewFromImage(image)
    layered = image.GetNumberOfComponentsPerPixel() > 1
    if image.GetDimension() != 3 and not (image.GetDimension() == 4 and not layered):
        raise DsirError(f"{path} is damaged or not a Slicer segmentation: it has {image.GetDimension()} dimensions.")
    axes = (3, 2, 1, 0) if layered else (2, 1, 0) if image.GetDimension() == 3 else (0, 3, 2, 1)
    layers = values.transpose(axes)
    layers = layers if layers.ndim == 4 else layers[None]
    if not np.issubdtype(layers.dtype, np.integer):
        if not np.isfinite(layers).all() or (layers != np.rint(layers)).any():
            raise DsirError(f"{path} holds values that are not whole numbers, so they are no labels.")
        layers = np.rint(layers).astype(np.int64)
    return layers.copy(), itk.affine_of(image), _pairs(image)


def write(path: str | Path, values: np.ndarray, affine: np.ndarray, pairs: Mapping[str, str]) -> None:
    """Write layers (L, I, J, K) of uint8 or int16, compressed; a single one in three dimensions, as Slicer does.

    Raises:
        OutputError: it cannot be written.
    """
    layered = len(values) > 1
    lattice = Lattice(as_shape(values.shape[1:]), affine)
    image = itk.to_sitk(np.moveaxis(values, 0, -1) if layered else values[0], lattice, vector=layered)
    for key, value in pairs.items():
        image.SetMetaData(key, value)
    with complete_file(path) as temporary:
        itk.write_image(temporary, image)


def _pairs(image: sitk.Image) -> dict[str, str]:
    pairs = {}
    for key in image.GetMetaDataKeys():
        try:
            if key.startswith("Segment"):
                pairs[key] = _utf8(image.GetMetaData(key))
        except (TypeError, UnicodeDecodeError):  # no UTF-8
            continue
    return pairs


def _utf8(value: str) -> str:
    """A text whose bytes are no UTF-8 (SimpleITK keeps them as they are) as Latin-1, in which older programs wrote."""
    return value.encode("utf-8", "surrogateescape").decode("latin-1") if re.search("[\udc80-\udcff]", value) else value
