"""What a registration may be told beforehand: masks, a start, landmarks; each as a file or as it lies in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from ..errors import DsirError
from ..files.images import read_mask
from ..files.itk_transforms import from_itk
from ..files.landmarks import TOLERANCE, LandmarkPairs, read_landmarks
from ..geometry.image import Image
from ..geometry.sampling import affine_grid, sample
from ..transforms.composite import Transform
from ..workflow.given_transform import GivenTransform, read_given_transform
from .images import as_labels
from .paths import expanded


def as_mask(given: Any, image: Image, role: str) -> torch.Tensor | None:
    """(I, J, K) bool on the image's grid: where the mask is above zero; None for None.

    Raises:
        DsirError: no mask, an empty one, or one that lies beside its image.
    """
    if given is None:
        return None
    if isinstance(given, str | Path):
        return read_mask(expanded(given), image.lattice)
    if isinstance(given, torch.Tensor | np.ndarray) and not hasattr(given, "affine"):
        if tuple(given.shape) != image.lattice.shape:
            raise DsirError(
                f"The {role} mask has the shape {tuple(given.shape)} and its image {image.lattice.shape}; a mask on "
                "another grid needs its affine: (array, affine)."
            )
        given = (np.asarray(given), image.lattice.affine)
    labels, lattice = as_labels(given)
    mask = labels > 0
    if not lattice.matches(image.lattice):
        mask = sample(mask[None].float(), affine_grid(image.lattice, lattice), mode="nearest")[0] > 0.5
    if not mask.any():
        raise DsirError(f"The {role} mask holds no voxel of its image.")
    return mask


def as_transform(given: Any, fixed: Image, moving: Image, fixed_mask: torch.Tensor | None) -> GivenTransform | None:
    """A start, fixed to moving: a :class:`Transform`, a SimpleITK transform, a (4, 4) RAS matrix, or a file.

    Raises:
        DsirError: no transform, or a file that can be read in two ways and the images do not say in which.
    """
    if given is None:
        return None
    if isinstance(given, Transform):
        return GivenTransform(given)
    if isinstance(given, str | Path):
        return read_given_transform(expanded(given), fixed=fixed, moving=moving, fixed_mask=fixed_mask)
    if isinstance(given, sitk.Transform):
        return GivenTransform(Transform(tuple(from_itk(given, Path("SimpleITK transform")))))
    if isinstance(given, np.ndarray) and given.shape == (4, 4):
        from ..transforms.linear import Linear

        return GivenTransform(Transform((Linear(given),)))
    raise DsirError(
        f"A {type(given).__name__} is no transform; a file, a dsir or SimpleITK transform, or a (4, 4) RAS matrix is."
    )


def as_landmarks(given: Any) -> LandmarkPairs | None:
    """Pairs of points: a CSV file, :class:`LandmarkPairs`, or the tuple (fixed, moving) of (N, 3) RAS mm.

    Raises:
        DsirError: not as many points on either side, or no finite numbers.
    """
    if given is None or isinstance(given, LandmarkPairs):
        return given
    if isinstance(given, str | Path):
        return read_landmarks(expanded(given))
    try:
        fixed, moving = (np.asarray(points, dtype=np.float64).reshape(-1, 3) for points in given)
    except (TypeError, ValueError):
        raise DsirError("Landmarks are a CSV file, or (fixed, moving), each (N, 3) RAS mm.") from None
    return LandmarkPairs(fixed, moving, np.full(len(fixed), TOLERANCE), np.ones(len(fixed)))
