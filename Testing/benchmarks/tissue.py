"""Body masks and tissue labels of the evaluation's own images, by plain thresholds."""

from __future__ import annotations

import numpy as np
import torch
from dsir.geometry.image import Image
from dsir.geometry.sampling import gaussian_blur
from scipy import ndimage


def threshold_body(image: Image, above: float) -> torch.Tensor:
    """(I, J, K) bool: the largest piece brighter than ``above``, closed by 2 voxels, holes filled slice by slice."""
    smooth = gaussian_blur(image.data[None], 0.7)[0].numpy()
    pieces, count = ndimage.label(ndimage.binary_opening(smooth > above))
    if count == 0:
        return torch.zeros(image.data.shape, dtype=torch.bool)
    largest = pieces == np.argmax(np.bincount(pieces.ravel())[1:]) + 1
    closed = ndimage.binary_closing(np.pad(largest, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    filled = np.stack([ndimage.binary_fill_holes(closed[:, :, k]) for k in range(closed.shape[2])], axis=2)
    return torch.from_numpy(ndimage.binary_fill_holes(filled))


def tissue_labels(image: Image, body: torch.Tensor, *, classes: int = 5, smoothing: float = 1.0) -> torch.Tensor:
    """(I, J, K) int16: 0 outside the body, 1..classes inside by brightness (k-means in one dimension).

    Args:
        smoothing: voxels; blur before and after, so that the labels are regions rather than noise.
    """
    smooth = gaussian_blur(image.data[None].float(), smoothing)[0]
    values = smooth[body].numpy()
    centres = np.quantile(values, (np.arange(classes) + 0.5) / classes)
    for _ in range(30):
        nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
        moved = np.array([values[nearest == n].mean() if (nearest == n).any() else centres[n] for n in range(classes)])
        if np.abs(moved - centres).max() < 1e-3 * (abs(moved).max() + 1e-9):
            break
        centres = np.sort(moved)
    labels = torch.bucketize(smooth, torch.as_tensor((centres[1:] + centres[:-1]) / 2, dtype=torch.float32)) + 1
    shares = torch.stack(
        [gaussian_blur((body & (labels == n)).float()[None], smoothing)[0] for n in range(1, classes + 1)]
    )
    return ((shares.argmax(0) + 1) * body).to(torch.int16)
