"""Whether a body mask can be believed: what lies outside it has to be air, and no organ may be a hole in it.

A threshold loses what is as dark as the background: muscle in T2, lung in MR, everything but the bladder in diffusion.
Air has no structure, so the gradient tells: outside a right mask it is a tenth of what it is inside and less.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

STRUCTURE = 0.2
"""Mean gradient outside the mask over that inside, above which structures lie outside. Measured on 28 scans: at most
0.16 where the mask is right (heads, brains, necks, a trunk), 0.24 to 0.66 where it lost muscle, lung or everything
(pelvis in T2, ADC and diffusion, heart, cord)."""

RIM = 2
"""Voxels (4 mm) around the mask that belong to neither: the skin's own gradient reaches so far."""

DIM = 0.08
"""Brightness, between the background's 0 and the body's 1, above which something outside is no air."""

ANOTHER_BODY = 0.2
"""Size of the largest piece outside, in the mask's own, above which it is body too. Measured: at most 0.03 where the
mask is right, 0.25 to 3 where it holds one bright organ of a dim body (diffusion, made-up scans)."""

LEAST = 0.02
"""Share of the view that must lie outside for a ratio to mean anything."""

ORGAN = 20.0
"""cm3; smaller holes are vessels and sinuses."""

BRIDGE = 24.0
"""mm; an organ that is open to the outside through a gap of twice this is still a hole."""

AIR_LIKE = 0.1
"""Brightness of a hole, between the background's 0 and the body's 1, below which it is air and may stay out."""


def structures_outside(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> float:
    """Mean gradient outside the mask over that inside; 0 where nearly nothing is outside.

    Args:
        values, mask: (I, J, K), of about 4 mm voxels; ``spacing`` (3,) mm.
    """
    outside = ~ndimage.binary_dilation(mask, iterations=RIM)
    if outside.mean() < LEAST or not mask.any():
        return 0.0
    smooth = ndimage.gaussian_filter(np.asarray(values, dtype=np.float32), 0.7)
    parts = [np.gradient(smooth, axis=a) / s for a, s in enumerate(spacing) if values.shape[a] > 1]
    slope = np.sqrt(sum(part**2 for part in parts))
    return float(slope[outside].mean() / max(float(slope[mask].mean()), 1e-12))


LUNG = (-930.0, -300.0)
"""HU of lung; a mattress lies below (-950 and less), and a table is thin."""

LUNG_PIECE = 100.0
"""cm3; smaller pieces are blankets and bowel."""


def body_outside(values: np.ndarray, mask: np.ndarray) -> float:
    """Size of the largest piece of something dim outside the mask, in the mask's own; 0 where there is none."""
    outside = ~ndimage.binary_dilation(mask, iterations=RIM)
    if outside.mean() < LEAST or not mask.any():
        return 0.0
    there = values[outside]
    air, bright = float(np.percentile(there, 10)), float(np.median(values[mask]))
    darker = there[there <= np.median(there)]
    noise = 1.48 * float(np.median(np.abs(darker - np.median(darker))))
    pieces, count = ndimage.label(
        ndimage.binary_opening(outside & (values > max(air + DIM * (bright - air), air + 6 * noise)))
    )
    return float(np.bincount(pieces.ravel())[1:].max()) / float(mask.sum()) if count else 0.0


def believable(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> bool:
    """Whether nothing but air lies outside the mask; arguments as of :func:`structures_outside`."""
    return structures_outside(values, mask, spacing) <= STRUCTURE and body_outside(values, mask) <= ANOTHER_BODY


def with_lungs(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """A CT's mask and the lungs that touch it, which the side of the view may cut open.

    Args:
        values: HU.
    """
    air = ndimage.binary_opening((values > LUNG[0]) & (values < LUNG[1]) & ~mask)
    pieces, count = ndimage.label(air)
    if not count:
        return mask
    numbers = np.arange(1, count + 1)
    volumes = ndimage.sum_labels(air, pieces, numbers) * float(np.prod(spacing)) / 1000
    touching = np.unique(pieces[ndimage.binary_dilation(mask, iterations=RIM)])
    lungs = numbers[(volumes >= LUNG_PIECE) & np.isin(numbers, touching)]
    return ndimage.binary_closing(np.pad(mask | np.isin(pieces, lungs), 3, mode="edge"), iterations=2)[3:-3, 3:-3, 3:-3]


def with_organs(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """The mask and the organs that are holes in it, also where they are open to the outside or the view's border."""
    steps = max(1, round(BRIDGE / float(spacing.mean())))
    wide = ndimage.binary_closing(np.pad(mask, steps + 1), iterations=steps)
    inner = tuple(slice(steps + 1, -steps - 1) for _ in range(3))
    pieces, count = ndimage.label(ndimage.binary_opening(wide[inner] & ~mask))
    if not count:
        return mask
    numbers = np.arange(1, count + 1)
    volumes = ndimage.sum_labels(np.ones_like(pieces), pieces, numbers) * float(np.prod(spacing)) / 1000
    background, body = np.percentile(values, 1), float(np.median(values[mask]))
    brightness = (ndimage.mean(values, pieces, numbers) - background) / max(body - background, 1e-12)
    organs = numbers[(volumes >= ORGAN) & (brightness >= AIR_LIKE)]
    return mask | np.isin(pieces, organs)
