"""GIFTI surfaces (.gii) by nibabel: RAS mm, but for FreeSurfer's, which are about the middle of its own volume."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from .parts import MeshError, MeshParts

POINTS, FACES = "NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE"
MIDDLE = ("VolGeomC_R", "VolGeomC_A", "VolGeomC_S")
SCANNER = 1
"""NIfTI's code of scanner coordinates."""


def parse(content: bytes) -> MeshParts:
    """Points and triangles of one surface; colours, labels and metadata stay."""
    try:
        image = nib.GiftiImage.from_bytes(content)
        found = image.get_arrays_from_intent(POINTS)
    except Exception:  # nibabel raises whatever its parsing stumbles over
        raise MeshError("is damaged or not a GIFTI surface.") from None
    if len(found) != 1:
        raise MeshError(f"holds {len(found)} sets of points; one surface is needed.")
    (places,) = found
    if any(float(places.meta.get(name, 0)) for name in MIDDLE) and places.coordsys.dataspace != SCANNER:
        raise MeshError(
            "counts from the middle of FreeSurfer's volume, not in scanner coordinates; write it anew by mris_convert "
            "--to-scanner."
        )

    def rebuild(points: np.ndarray, normals: np.ndarray | None) -> bytes:
        places.data = points.astype(places.data.dtype)
        return bytes(image.to_bytes())

    faces = [array.data for array in image.get_arrays_from_intent(FACES)]
    triangles = np.concatenate(faces).astype(int) if faces else np.zeros((0, 3), dtype=int)
    return MeshParts(np.asarray(places.data, dtype=np.float64), None, "SPACE=RAS", rebuild, triangles)
