"""A PET of the examination that a CT belongs to, simulated: a stand-in, since there was no real one to measure on.

Uptake follows tissue, as glucose's does roughly: little in lung and fat, some in muscle, more in what is denser and not
bone; a few hot spots. Then the scanner: a blur of 6 mm, coarse voxels, counting noise. No attenuation, no physics.
"""

from __future__ import annotations

import numpy as np
import torch
from dsir.geometry.image import Image
from dsir.geometry.sampling import gaussian_blur

UPTAKE = ((-1000.0, 0.0), (-700.0, 0.4), (-100.0, 0.3), (0.0, 0.8), (60.0, 1.6), (200.0, 1.2), (1000.0, 0.6))
"""HU and standardised uptake: usual orders of magnitude, for simulation only."""

BLUR, VOXEL, COUNTS = 2.5, 4.0, 60.0
"""mm (sigma; 6 mm full width at half maximum), mm, and counts for an uptake of one."""

SPOTS, HOT = 6, 6.0
"""Made-up lesions, and their uptake."""


def positron_image(ct: Image, body: torch.Tensor, *, seed: int = 0) -> Image:
    """The PET on a lattice of 4 mm in the CT's place.

    Args:
        ct: HU.
        body: (I, J, K) bool on its lattice.
    """
    draw = np.random.default_rng([seed, 6])
    uptake = np.interp(ct.data.numpy(), *np.array(UPTAKE).T) * body.numpy()
    inside = body.nonzero().numpy()
    points = ct.lattice.to_world(np.stack(np.meshgrid(*map(np.arange, ct.lattice.shape), indexing="ij"), -1))
    for centre in ct.lattice.to_world(inside[draw.integers(len(inside), size=SPOTS)]):
        uptake[np.linalg.norm(points - centre, axis=-1) < draw.uniform(4, 10)] = HOT
    sigmas = [BLUR / float(s) for s in ct.lattice.spacing]
    blurred = Image(gaussian_blur(torch.as_tensor(uptake, dtype=torch.float32)[None], sigmas)[0], ct.lattice)
    coarse = blurred.on(ct.lattice.with_spacing(VOXEL))
    counted = draw.poisson(coarse.data.clamp(min=0).numpy() * COUNTS) / COUNTS
    return Image(torch.as_tensor(counted, dtype=torch.float32), coarse.lattice)
