"""Pairs whose truth is known, made from the embedded brain: moved, bent, recoloured, disturbed, cut.

AAPM TG-132 (Brock et al., Med Phys 44(7), 2017) asks for digital phantoms with known motion; this is that idea on real
anatomy, without a download.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from ..geometry.image import Image
from ..geometry.sampling import gaussian_blur
from .cases import Case, known_case
from .deformation import DeformationSettings
from .demo import SPACING, icbm, second_contrast

PAD = 20
"""mm of air around the brain, so that no known motion carries it out of the scan."""

DRIFT = 40.0
"""mm, standard deviation of the blur that makes an intensity drift smooth."""

Contrast = Literal["same", "inverted", "monotone", "tissue"]


@dataclass(frozen=True)
class Disturbance:
    """What a scanner adds to both scans, and takes from the moving one.

    Attributes:
        noise: standard deviation of Gaussian noise, as a share of the brain's brightness.
        drift: standard deviation of a smooth factor about one, within the brain.
        cut: mm of the brain's lower end that lie below the moving scan's field of view.
    """

    noise: float = 0.0
    drift: float = 0.0
    cut: float = 0.0


@dataclass(frozen=True, eq=False)
class Brain:
    """The embedded anatomy with air around it, all on one lattice.

    Attributes:
        scan: T1-weighted average, zero outside the brain.
        grey, white: (I, J, K) shares of tissue, 0 to 1.
        body: (I, J, K) bool.
    """

    scan: Image
    grey: torch.Tensor
    white: torch.Tensor
    body: torch.Tensor


def padded_brain(spacing: int = SPACING, pad: float = PAD) -> Brain:
    """The ICBM average brain of nilearn.

    Raises:
        DsirError: nilearn is not installed.
    """
    scan, grey, white, mask = icbm(spacing)
    edge = round(pad / spacing)
    lattice = scan.lattice.window(np.full(3, -edge), np.array(scan.lattice.shape) + 2 * edge)
    data, *shares, body = (F.pad(image.data, [edge] * 6) for image in (scan, grey, white, mask))
    inside = body > 0.5
    return Brain(Image(data * inside, lattice), shares[0], shares[1], inside)


def recoloured(brain: Brain, contrast: Contrast, seed: int) -> Image:
    """The brain as another scanner would show it."""
    data, top = brain.scan.data, float(brain.scan.data.max())
    curves: dict[Contrast, Callable[[], torch.Tensor]] = {
        "same": lambda: data,
        "inverted": lambda: (top - data) * brain.body,
        "monotone": lambda: top * (data.clamp(min=0) / top) ** 2,
        "tissue": lambda: second_contrast(brain.grey, brain.white, brain.body, seed),
    }
    return Image(curves[contrast](), brain.scan.lattice)


def phantom(
    brain: Brain,
    motion: DeformationSettings,
    contrast: Contrast = "same",
    disturbance: Disturbance | None = None,
    *,
    seed: int = 0,
) -> Case:
    """A pair with its truth: the fixed scan is the brain moved, the moving one the recoloured brain at rest.

    ``body`` of the case holds the voxels whose true place lies within the moving scan.
    """
    added = disturbance or Disturbance()
    partner = recoloured(brain, contrast, seed)
    case = known_case("phantom", brain.scan, partner, brain.body, deformation=motion, seed=seed)
    draw = torch.Generator().manual_seed(seed)
    case = replace(case, fixed=_disturbed(case.fixed, added, draw), moving=_disturbed(case.moving, added, draw))
    return _cut(case, brain.body, added.cut) if added.cut else case


def _disturbed(image: Image, added: Disturbance, draw: torch.Generator) -> Image:
    data = image.data
    if added.drift:
        sigmas = [DRIFT / float(step) for step in image.lattice.spacing]
        drift = gaussian_blur(torch.randn(1, *data.shape, generator=draw), sigmas)[0]
        inside = drift[data > 0]
        data = data * (1 + added.drift * (drift - inside.mean()) / inside.std())
    if added.noise:
        bright = float(data[data > 0].mean())
        data = data + added.noise * bright * torch.randn(data.shape, generator=draw)
    return Image(data, image.lattice)


def _cut(case: Case, body: torch.Tensor, cut: float) -> Case:
    """The moving scan without what lies below ``cut`` mm above the brain's lowest voxel (its third axis is S)."""
    lattice = case.moving.lattice
    lowest = int(torch.nonzero(body.any(0).any(0))[0])
    first = lowest + round(cut / lattice.spacing[2])
    left = lattice.window(np.array([0, 0, first]), (*lattice.shape[:2], lattice.shape[2] - first))
    moving = Image(case.moving.data[:, :, first:].contiguous(), left)
    assert case.truth is not None  # simulated
    points = torch.nonzero(case.body)
    places = lattice.to_world(points.numpy()) + case.truth.vectors[:, case.body].T.numpy()
    seen = torch.zeros_like(case.body)
    seen[tuple(points.T)] = torch.from_numpy(left.contains(places))
    return replace(case, moving=moving, body=seen)
