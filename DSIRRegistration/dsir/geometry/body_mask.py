"""Where the patient is: a body mask found from the intensities alone.

Without a mask air matches air (METHOD.md), so every stage looks only inside it. One rule serves CT, MR and
skull-stripped or cropped scans: what is brighter than the background belongs, the largest piece stays, holes fill.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from .image import Image
from .mask_check import believable, with_lungs, with_organs
from .sampling import thinned
from .windows import is_ct

SMALLEST_SHARE = 0.02
"""A mask below this share of the volume is taken as a failure of the rule, and the whole volume is used instead."""

MUCH = 1 / 3
"""Share of the view that has to stand out, for a result to be judged by it alone: one bright organ tells of itself."""

HALF = 0.5 + 1e-3
"""Where the outline runs between coarse voxels. Voxels half way between them are outside, however rounding falls:
without it the mask depended on the order in which a scan is stored."""

DIP = 0.1
"""How far noise and ringing reach below zero, in the body's own brightness."""


@dataclass(frozen=True, eq=False)
class Body:
    """What was found.

    Attributes:
        mask: (I, J, K) bool on the image's own lattice.
        doubt: why the whole field of view was taken in the place of a mask that cannot be right; else empty.
        stands_out: (I, J, K) bool; what is body for certain, though not all of it, where the view was taken; None
            where that is too little, and where there is no doubt.
    """

    mask: torch.Tensor
    doubt: str = ""
    stands_out: torch.Tensor | None = None

    @property
    def certain(self) -> torch.Tensor:
        """(I, J, K) bool: where no air is."""
        return self.mask if self.stands_out is None else self.stands_out


def body_mask(image: Image, *, spacing: float = 4.0) -> torch.Tensor:
    """:func:`find_body`'s mask alone."""
    return find_body(image, spacing=spacing).mask


def find_body(image: Image, *, spacing: float = 4.0) -> Body:
    """Find the body, and check that it is the body (:mod:`.mask_check`).

    Works on a coarse copy (``spacing`` mm): the outline needs no more, and noise and thin tables vanish there.

    Returns:
        a mask that is all true where no background can be told (a field of view cut inside the body), and where
        structures lie outside of what was found.
    """
    wanted = np.maximum(image.lattice.spacing, spacing)
    thin, lattice, _ = thinned(image.data[None], image.lattice, wanted)
    coarse = Image(thin[0], lattice).on(image.lattice.with_spacing(wanted))
    values = coarse.data.cpu().numpy()
    mask = _foreground(values)
    if mask is None:
        return Body(_everything(image), "next to nothing stands out from the background")
    mask = with_organs(values, mask, coarse.lattice.spacing)
    if is_ct(values):  # its background is air by number; what lies in it is a table, a sheet, a mask
        mask = with_lungs(values, mask, coarse.lattice.spacing)
    fine = Image(torch.from_numpy(mask.astype(np.float32)), coarse.lattice).on(image.lattice)
    found = (fine.data > HALF).to(image.data.device)
    if is_ct(values) or believable(values, mask, coarse.lattice.spacing):
        return Body(found)
    doubt = "structures lie outside of what stands out from the background"
    return Body(_everything(image), doubt, found if mask.mean() >= MUCH else None)


def _everything(image: Image) -> torch.Tensor:
    return torch.ones(image.lattice.shape, dtype=torch.bool, device=image.data.device)


def _foreground(values: np.ndarray) -> np.ndarray | None:
    """What is brighter than the background; None where that is next to nothing."""
    low, high = np.percentile(values, (0.5, 99.5))
    if high - low <= 1e-5 * max(abs(low), abs(high)):  # constant, up to what float32 resampling leaves
        return np.ones_like(values, dtype=bool)
    mask = values > _threshold(values, float(low), float(high))
    mask = ndimage.binary_opening(mask, iterations=1)
    labels, count = ndimage.label(mask)
    if count == 0:
        return np.ones_like(values, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    # Limbs and a lung cut by the border may be pieces of their own: everything of a tenth of the largest stays.
    mask = np.isin(labels, np.flatnonzero(sizes >= 0.1 * sizes.max()))
    mask = filled_holes(ndimage.binary_closing(np.pad(mask, 3), iterations=2)[3:-3, 3:-3, 3:-3])
    return None if mask.mean() < SMALLEST_SHARE else mask


def _threshold(values: np.ndarray, low: float, high: float) -> float:
    """Between background and body.

    The background of CT (air) and of stripped MR is one narrow peak at the low end of the histogram; the threshold is
    put right above it. Where no such peak stands out, Otsu's (1979) lower class divides.
    """
    counts, edges = np.histogram(values.clip(low, high), bins=128, range=(low, high))
    centres = (edges[1:] + edges[:-1]) / 2
    weight = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts * centres) / counts.sum()
    total = mean[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total * weight - mean) ** 2 / (weight * (1 - weight))
    otsu = centres[int(np.nanargmax(between[:-1]))]
    background = values[values <= otsu]
    # Within the lower class, dim tissue sits between the air peak and Otsu's line: cut a quarter of the way up
    # from the air to the bright class, or at Otsu, whichever is lower.
    air = float(np.median(background)) if background.size else low
    bright = float(np.median(values[values > otsu]))
    if not _is_background(air, bright, low):
        return -np.inf  # a view cut inside the body: everything is tissue
    return min(float(otsu), air + 0.25 * (bright - air))


def _is_background(air: float, bright: float, low: float) -> bool:
    """Whether the darker class can be air: in MR nearly no signal, in Hounsfield units far below fat.

    An MR may dip a little below zero, by noise or by interpolation. What lies far below zero and is not in Hounsfield
    units (standardised intensities) tells nothing, and air is assumed.
    """
    if low >= -DIP * bright:
        return air < 0.5 * bright
    hounsfield = bright - low > 200
    return not hounsfield or air < -250


def filled_holes(mask: np.ndarray) -> np.ndarray:
    """Fill holes, slice by slice too: lungs and bowel open to the border of a cropped field of view."""
    mask = _without_holes(mask, ndimage.generate_binary_structure(3, 1), range(3))
    for axis in range(3):
        across = ndimage.generate_binary_structure(3, 1)  # neighbours within a slice only
        across[tuple(1 if d != axis else [0, 2] for d in range(3))] = False
        mask = _without_holes(mask, across, [d for d in range(3) if d != axis])
    return mask


def _without_holes(mask: np.ndarray, structure: np.ndarray, axes: Iterable[int]) -> np.ndarray:
    """The mask and every piece of its background (by ``structure``) that reaches no border across ``axes``."""
    pieces, count = ndimage.label(~mask, structure)
    open_ = np.zeros(count + 1, dtype=bool)
    for axis in axes:
        for end in (0, -1):
            open_[np.unique(np.take(pieces, end, axis))] = True
    return mask | ~open_[pieces]
