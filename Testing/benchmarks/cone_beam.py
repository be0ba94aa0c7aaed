"""The cone-beam CT of the day, simulated from a CT: a stand-in, since there was no real one to measure on.

What makes cone beams hard is put in one after the other: scatter that darkens the middle (cupping), numbers that are
not Hounsfield's, streaks from dense bone, correlated noise, and a field of view that cuts the body. Nothing is
projected: the picture has a cone beam's faults, not its physics. Motion is not simulated here: bend one side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from dsir.geometry.image import Image
from dsir.geometry.sampling import gaussian_blur

AIR, BONE = -1000.0, 300.0
"""HU; outside the field of view there is air."""


@dataclass(frozen=True)
class ConeBeam:
    """Strength of the artefacts.

    Attributes:
        width, length: mm of the cylinder that is seen, about the scan's long axis.
        cupping: HU by which the middle is too dark.
        gain, offset: numbers = gain * HU + offset.
        streaks: HU, standard deviation of the rays that leave dense bone.
        noise: HU, standard deviation.
        grain: mm of the noise (sigma).
    """

    width: float = 260.0
    length: float = 170.0
    cupping: float = 150.0
    gain: float = 0.9
    offset: float = 40.0
    streaks: float = 40.0
    noise: float = 45.0
    grain: float = 1.0


def cone_beam(ct: Image, body: torch.Tensor, settings: ConeBeam | None = None, *, seed: int = 0) -> Image:
    """The CT as a cone beam would show it, on the CT's lattice.

    Args:
        ct: HU.
        body: (I, J, K) bool on its lattice; the cylinder stands in its middle.
        seed: of noise and streaks.
    """
    settings = settings or ConeBeam()
    draw = np.random.default_rng([seed, 5])
    x, y, z = _from_middle(ct, body)
    radius = np.hypot(x, y)
    seen = torch.as_tensor((radius < settings.width / 2) & (np.abs(z) < settings.length / 2))
    cup = torch.as_tensor(np.clip(1 - (radius / (settings.width / 2)) ** 2, 0, None), dtype=torch.float32)
    values = settings.gain * ct.data + settings.offset - settings.cupping * cup * body
    values = values + settings.streaks * _rays(ct, draw) * body
    grain = torch.as_tensor(draw.standard_normal((1, *ct.data.shape)), dtype=torch.float32)
    grain = gaussian_blur(grain, [settings.grain / float(s) for s in ct.lattice.spacing])[0]
    values = values + settings.noise * grain / grain.std()
    return Image(torch.where(seen, values.clamp(min=AIR), torch.tensor(AIR)), ct.lattice)


def _from_middle(ct: Image, body: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mm of each voxel from the middle of the body, along the lattice's axes; each (I, J, K)."""
    index = body.nonzero().numpy()
    middle = (index.min(0) + index.max(0)) / 2
    axes = [(np.arange(n) - m) * s for n, m, s in zip(ct.lattice.shape, middle, ct.lattice.spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return x, y, z


def _rays(ct: Image, draw: np.random.Generator) -> torch.Tensor:
    """(I, J, K) rays of unit variance in each slice, from its dense bone; 0 where a slice has none."""
    rays = torch.zeros(ct.lattice.shape)
    x, y = np.meshgrid(*(np.arange(n) * s for n, s in zip(ct.lattice.shape[:2], ct.lattice.spacing[:2], strict=True)),
                       indexing="ij")  # fmt: skip
    for k in range(ct.lattice.shape[2]):
        dense = ct.data[..., k].numpy() > BONE
        if not dense.any():
            continue
        angle = np.arctan2(y - y[dense].mean(), x - x[dense].mean())
        around = np.convolve(np.tile(draw.standard_normal(360), 3), np.ones(3) / 3**0.5, mode="same")
        rays[..., k] = torch.as_tensor(np.interp(np.rad2deg(angle), np.arange(-540, 540), around), dtype=torch.float32)
    return rays
