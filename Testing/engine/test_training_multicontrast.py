"""One person in several contrasts: brought onto each other, in whatever voxels; what lies too far off is left out."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from dsir.geometry.sampling import gaussian_blur, index_grid, sample
from dsir.training.multicontrast import load_contrasts

SPACING, SIZE = 3.0, 36
OFF = (1.8, -1.2, 0.9)
"""mm by which the second scan's header is wrong."""


def anatomy() -> np.ndarray:
    """(n, n, n) blobs between 200 and 800 in a ball, nothing around it."""
    blobs = gaussian_blur(torch.randn(1, SIZE, SIZE, SIZE, generator=torch.Generator().manual_seed(3)), 2.0)[0]
    ball = (index_grid((SIZE,) * 3) - (SIZE - 1) / 2).norm(dim=0) < 14
    return (ball * (500 + 300 * (blobs / blobs.abs().max()))).numpy().astype(np.float32)


def write(path: Path, values: np.ndarray, off: tuple[float, float, float] = (0, 0, 0)) -> None:
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = off
    nib.save(nib.Nifti1Image(values, affine), path)


def inverted(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, 1000 - values, 0).astype(np.float32)


def moved_by(values: np.ndarray, off: tuple[float, float, float]) -> torch.Tensor:
    """What is seen at each voxel through a header that is wrong by so many mm."""
    index = index_grid((SIZE,) * 3) - torch.tensor(off)[:, None, None, None] / SPACING
    return sample(torch.from_numpy(values)[None], index)[0]


def test_a_second_contrast_is_brought_onto_the_first(tmp_path: Path) -> None:
    first = anatomy()
    write(tmp_path / "p01_head_t1.nii.gz", first)
    write(tmp_path / "p01_head_t2.nii.gz", inverted(first), off=OFF)
    write(tmp_path / "p02_head_t1.nii.gz", first)  # alone
    write(tmp_path / "p03_head_1.nii.gz", first)  # numbers are no contrasts
    write(tmp_path / "p03_head_2.nii.gz", first)
    seen: list[str] = []
    ((one, other),) = load_contrasts(tmp_path, SPACING, seen.append)
    assert seen == ["p01_head"] and one.group == other.group == "contrasts p01_head"
    assert (one.name, other.name) == ("p01_head_t1", "p01_head_t2")
    assert one.data.shape == other.data.shape == one.body.shape and one.spacing == SPACING
    inner = torch.nn.functional.avg_pool3d(one.body.float()[None], 5, 1, 2)[0] > 0.99
    left = float((1000 - other.data.float() - one.data.float())[inner].abs().mean())
    apart = float((moved_by(first, OFF) - one.data.float())[inner].abs().mean())
    assert left < 0.4 * apart, (left, apart)


@pytest.mark.parametrize("off", [9.0, -7.0])
def test_a_scan_that_would_have_to_move_far_is_left_out(tmp_path: Path, off: float) -> None:
    first = anatomy()
    write(tmp_path / "p01_head_t1.nii.gz", first)
    write(tmp_path / "p01_head_t2.nii.gz", inverted(first), off=(off, 0, 0))
    assert load_contrasts(tmp_path, SPACING) == []
