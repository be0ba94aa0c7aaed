"""Contrast phases of a labelled abdominal CT, simulated: a stand-in for multiphase liver CT, which may not be shipped.

Contrast agent changes the brightness of whole organs, not their place. Each organ's median is moved to the value usual
for the phase, its own texture kept; the kidney's rim fills before its inside; lesions in the liver light up early and
wash out, which no curve of intensity can undo. Motion between phases is not simulated here: bend one side.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from dsir.geometry.image import Image
from dsir.geometry.sampling import gaussian_blur

PHASES: dict[str, dict[str, float]] = {
    "arterial": {
        "aorta": 300, "spleen": 125, "kidney_left": 90, "kidney_right": 90, "liver": 65, "pancreas": 105,
        "inferior_vena_cava": 60, "portal_vein_and_splenic_vein": 90, "stomach": 55, "duodenum": 60,
    },
    "portal": {
        "aorta": 150, "spleen": 120, "kidney_left": 180, "kidney_right": 180, "liver": 110, "pancreas": 90,
        "inferior_vena_cava": 135, "portal_vein_and_splenic_vein": 175, "stomach": 60, "duodenum": 70,
    },
}  # fmt: skip
"""Medians in HU of organs 35 s and 70 s after injection: usual values of healthy adults, for simulation only."""

CORTEX = {"arterial": 190.0, "portal": 190.0}
"""HU of the outer 6 mm of the kidneys."""

LESION = {"arterial": 60.0, "portal": -45.0}
"""HU above the liver of a hypervascular lesion: bright early, washed out later."""


def in_phase(
    ct: Image,
    labels: torch.Tensor,
    names: dict[int, str],
    phase: str,
    *,
    lesions: int = 4,
    noise: float = 10.0,
    seed: int = 0,
) -> Image:
    """The CT as it would look in a phase.

    Args:
        labels: (I, J, K) organs on the CT's lattice.
        names: label value to organ, as :data:`PHASES` calls them; organs it does not know stay as they are.
        phase: ``"arterial"`` or ``"portal"``.
        lesions: made up in the liver, 5 to 10 mm in radius, at the same places in every phase.
        noise: HU, standard deviation, drawn anew for each phase.
    """
    data = ct.data.clone()
    for value, name in names.items():
        organ = labels == value
        if name not in PHASES[phase] or not bool(organ.any()):
            continue
        data += _soft(organ) * (PHASES[phase][name] - float(ct.data[organ].median()))
        if name.startswith("kidney"):
            rim = organ & ~_eroded(organ, 6.0, ct.lattice.spacing)
            data += _soft(rim) * (CORTEX[phase] - PHASES[phase][name])
    liver = next((labels == value for value, name in names.items() if name == "liver"), None)
    if liver is not None and bool(liver.any()):
        for ball in _lesions(liver, ct.lattice.spacing, lesions, np.random.default_rng([seed, 4])):
            data += _soft(ball) * LESION[phase]
    grain = np.random.default_rng([seed, 5, list(PHASES).index(phase)]).standard_normal(tuple(data.shape))
    return Image(data + noise * torch.as_tensor(grain, dtype=torch.float32), ct.lattice)


def _soft(mask: torch.Tensor) -> torch.Tensor:
    """A mask with the edge of a scanner's point spread instead of steps."""
    return gaussian_blur(mask.float()[None], 0.6)[0]


def _eroded(mask: torch.Tensor, mm: float, spacing: np.ndarray) -> torch.Tensor:
    radii = [max(1, round(mm / s)) for s in spacing]
    outside = F.pad((~mask).float()[None, None], [r for r in reversed(radii) for _ in range(2)], value=1.0)
    return F.max_pool3d(outside, [2 * r + 1 for r in radii], stride=1)[0, 0] == 0


def _lesions(liver: torch.Tensor, spacing: np.ndarray, count: int, rng: np.random.Generator) -> list[torch.Tensor]:
    inside = torch.nonzero(liver).numpy()
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in liver.shape), indexing="ij")
    balls = []
    for centre, radius in zip(inside[rng.integers(0, len(inside), count)], rng.uniform(5, 10, count), strict=True):
        square = sum(((axis - float(c)) * s) ** 2 for axis, c, s in zip(axes, centre, spacing, strict=True))
        balls.append((square < radius**2) & liver)
    return balls
