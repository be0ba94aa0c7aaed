"""GIFTI surfaces (.gii) by nibabel: RAS mm, by their own matrix where it leads to scanner coordinates; refused are
FreeSurfer's without one, which are about the middle of its own volume."""

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
    to_ras = _to_ras(places.coordsys)
    if (
        to_ras is None
        and any(float(places.meta.get(name, 0)) for name in MIDDLE)
        and places.coordsys.dataspace != SCANNER
    ):
        raise MeshError(
            "counts from the middle of FreeSurfer's volume, not in scanner coordinates; write it anew by mris_convert "
            "--to-scanner."
        )

    def rebuild(points: np.ndarray, normals: np.ndarray | None) -> bytes:
        own = points if to_ras is None else points @ np.linalg.inv(to_ras)[:3, :3].T + np.linalg.inv(to_ras)[:3, 3]
        places.data = own.astype(places.data.dtype)
        return bytes(image.to_bytes())

    faces = [array.data for array in image.get_arrays_from_intent(FACES)]
    triangles = np.concatenate(faces).astype(int) if faces else np.zeros((0, 3), dtype=int)
    points = np.asarray(places.data, dtype=np.float64)
    points = points if to_ras is None else points @ to_ras[:3, :3].T + to_ras[:3, 3]
    return MeshParts(points, None, "SPACE=RAS", rebuild, triangles)


def _to_ras(system: nib.gifti.GiftiCoordSystem) -> np.ndarray | None:
    """(4, 4) of a file that says how its points reach scanner coordinates from elsewhere; None where it does not."""
    if system.xformspace != SCANNER or system.dataspace == SCANNER:
        return None
    matrix = np.asarray(system.xform, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        raise MeshError("is damaged: its matrix to scanner coordinates is none.")
    return matrix
