"""A small example with real anatomy and a known answer: the ICBM average brain and a partner no scanner made.

The nilearn package carries the ICBM 152 (2009a, symmetric) T1-weighted average of 152 heads, cut to the brain, with its
maps of grey and white matter (Fonov et al., NeuroImage 2011). The partner's contrast is made from the tissue maps,
T2-like: fluid bright, white matter dark, with texture, a brightness drift and noise that the T1 image does not have.
"""

from __future__ import annotations

import numpy as np
import torch

from ..errors import DsirError
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.sampling import gaussian_blur
from .cases import Case, known_case
from .deformation import DeformationSettings

SPACING = 2
"""mm; whole ones, as nilearn resamples."""

GREY, WHITE, FLUID = 520.0, 330.0, 950.0
"""Brightness of the tissues in the partner, roughly a T2-weighted image's."""


def demo_case(
    *, seed: int = 0, amplitude: float = 12.0, spacing: int = SPACING, rotation: float = 4.0, translation: float = 6.0
) -> Case:
    """The brain, deformed by up to ``amplitude`` mm, and its undeformed partner of another contrast.

    Args:
        spacing: mm, a whole number.
        rotation, translation: degrees and mm of the rigid motion on top.

    Raises:
        DsirError: nilearn is not installed.
    """
    brain, grey, white, mask = icbm(spacing)
    body = mask.data > 0.5
    brain = Image(brain.data * body, brain.lattice)  # resampling rings a little around the brain
    partner = Image(second_contrast(grey.data, white.data, body, seed), brain.lattice)
    return known_case(
        "icbm152",
        brain,
        partner,
        body,
        deformation=DeformationSettings(amplitude=amplitude, rotation=rotation, translation=translation),
        seed=seed,
    )


def icbm(spacing: int) -> tuple[Image, ...]:
    """T1-weighted average, grey matter, white matter, brain; voxels of ``spacing`` mm, a whole number.

    Raises:
        DsirError: nilearn is not installed.
    """
    try:
        from nilearn import datasets
    except ImportError:
        raise DsirError(
            "The demo takes its brain from the nilearn package; install it with 'pip install nilearn'."
        ) from None
    loaders = (
        datasets.load_mni152_template,
        datasets.load_mni152_gm_template,
        datasets.load_mni152_wm_template,
        datasets.load_mni152_brain_mask,
    )
    found = []
    for load in loaders:
        file = load(resolution=spacing)
        values = np.asarray(file.dataobj, dtype=np.float32)
        found.append(Image(torch.from_numpy(np.ascontiguousarray(values)), Lattice(values.shape, file.affine)))
    return tuple(found)


def second_contrast(grey: torch.Tensor, white: torch.Tensor, body: torch.Tensor, seed: int) -> torch.Tensor:
    """(I, J, K) brightness 0..~1000 from tissue shares; what is neither grey nor white is fluid."""
    draw = torch.Generator().manual_seed(seed)
    fluid = (1 - grey - white).clamp(0, 1)
    image = GREY * grey + WHITE * white + FLUID * fluid
    texture = gaussian_blur(torch.randn(1, *body.shape, generator=draw), 1.0)[0]
    drift = gaussian_blur(torch.randn(1, *body.shape, generator=draw), 16.0)[0]
    image = image * (1 + 0.04 * texture / texture.std() + 0.12 * drift / drift.std())
    image = image + 15 * torch.randn(body.shape, generator=draw)
    return image.clamp(min=0) * body
