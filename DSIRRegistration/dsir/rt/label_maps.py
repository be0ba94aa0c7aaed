"""A label map from whatever holds one: an image file, or a DICOM segmentation object."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import DsirError
from ..files.images import read_labels as labels_of_image
from ..geometry.lattice import Lattice
from .segmentation_in import is_segmentation, read_segmentation_object


def read_labels(path: str | Path) -> tuple[torch.Tensor, Lattice]:
    """(I, J, K) int32, 0 is background, and its lattice; a segmentation's values are its segment numbers.

    Raises:
        DsirError: as :func:`dsir.files.images.read_labels`, or segments overlap, which one value a voxel cannot hold.
    """
    if not is_segmentation(path):
        return labels_of_image(path)
    found = read_segmentation_object(path)
    labels = torch.zeros(found.lattice.shape, dtype=torch.int32)
    for segment in found.segments:
        if bool((labels[segment.mask] > 0).any()):
            raise DsirError(
                f"{path} holds segments that overlap ({segment.name} and another); take dsir propagate --segmentation "
                "for them, which keeps each."
            )
        labels[segment.mask] = segment.number
    return labels, found.lattice
