"""Where not to trust a registration: at every voxel, does the similarity agree with the transform?

The moving image is pulled through the transform; around each fixed voxel the best match is then looked for, and
around that match the way back. Where the transform is right and the place is distinct, the match lies at the voxel
itself, the way back ends where it began, and nothing farther off is as similar. The descent's own curvature says how
far off a mapping may be that is right in the main: where little is seen, and at the skin, it slides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

from ..features.descriptor import Descriptor
from ..features.extraction import describe
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..geometry.lattice import Lattice, as_shape
from ..geometry.sampling import index_grid, resample, sample
from ..progress import Progress, silent, within
from ..registration.expected_error import expected_covariance
from ..registration.normal import normal_equations
from ..registration.settings import DescentSettings
from ..transforms.composite import Transform
from ..transforms.field import moved_index
from .calibration import Calibration, shipped
from .describe import SPACING, described_lattice

REACH = 12.0
"""mm around the voxel within which the best match is looked for."""

GRID = 4.0
"""mm of the map."""

AROUND = 20.0
"""mm, side of the cube over which similarity is averaged: what lies around a voxel moves about as it does. Measured, 4
mm to 20 mm: of the wrong voxels 81 % and 87 % are flagged, Brier score 0.160 and 0.135; with 28 mm no better."""

DOUBTFUL = 0.5
"""Voxels of less confidence than this count as doubtful."""

SURE = 0.9
"""Voxels of this confidence and more are called sure. Measured on two people never seen: 98 % of them lie within 4 mm,
twice (from 0.8 on 91 and 90 %)."""

APART = 6.0
"""mm; what lies farther from the best match than this is a rival of it."""

LOOKED_AT = 4
"""Numbers that come of looking around; a curve with more asks for the expected error too."""

PLAIN = Calibration(weights=(-0.45, 0.05, 3.0, 0.0), offset=1.5)
"""For descriptors that were never calibrated: an order of trust, not a probability."""


@dataclass(frozen=True, eq=False)
class ConfidenceMap:
    """How far a registration can be trusted, voxel by voxel; arrays are (I, J, K) on ``lattice``, 0 outside the body.

    Attributes:
        confidence: probability that the transform is within 4 mm of the truth; see ``calibrated``.
        distance: mm between where the transform and where the best match puts the voxel.
        disagreement: mm between the voxel and the end of the way forth and back.
        body: bool; where the map says anything.
        calibrated: whether ``confidence`` was fitted for this descriptor; else it only orders places.
    """

    confidence: torch.Tensor
    distance: torch.Tensor
    disagreement: torch.Tensor
    body: torch.Tensor
    lattice: Lattice
    calibrated: bool

    def image(self) -> Image:
        """The confidence as a volume."""
        return Image(self.confidence, self.lattice)

    def structures(self, labels: torch.Tensor, lattice: Lattice, names: Mapping[int, str]) -> list[StructureConfidence]:
        """One line for each label (I, J, K) of ``lattice`` in fixed space; structures the map does not reach are left
        out."""
        index = labels.nonzero()
        points = lattice.to_world(index.numpy())
        at = torch.as_tensor(self.lattice.to_index(points).T, dtype=torch.float32)
        confidence, inside, away = sample(
            torch.stack([self.confidence, self.body.float(), self.distance]), at.reshape(3, -1), mode="nearest"
        )
        values = labels[tuple(index.T)]
        found = []
        for value in values.unique().tolist():
            here = (values == value) & (inside > 0)
            if bool(here.any()):
                part = confidence[here]
                doubtful = float((part < DOUBTFUL).float().mean())
                name, mean, distance = names.get(value, str(value)), float(part.mean()), float(away[here].mean())
                found.append(StructureConfidence(name, mean, doubtful, distance))
        return found


@dataclass(frozen=True)
class StructureConfidence:
    """Attributes: mean confidence, share of its voxels that are doubtful, mean distance of the best match in mm."""

    name: str
    confidence: float
    doubtful: float
    distance: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a confidence is read from.

    Attributes:
        values: (4 or 5, I, J, K): distance and disagreement in mm, by how much the match is more similar than its
            rivals, and than the place where the transform puts the voxel; where it was asked for, the logarithm of the
            expected error in mm.
        body: (I, J, K) bool; where both images show the body.
        lattice: the map's, in fixed space.
    """

    values: torch.Tensor
    body: torch.Tensor
    lattice: Lattice


def confidence_of(
    fixed: Image,
    moving: Image,
    transform: Transform,
    descriptor: Descriptor,
    *,
    mask: torch.Tensor | None = None,
    progress: Progress = silent,
) -> ConfidenceMap:
    """Judge a fixed-to-moving transform by the images alone.

    Args:
        mask: (I, J, K) bool on the fixed lattice; the body is found when it is not given.

    Raises:
        DsirError: the mask is empty.
    """
    known = shipped().get(curve_name(descriptor))
    curve = known if known is not None and known.sha256 == descriptor.identity.get("sha256") else PLAIN
    asks = len(curve.weights) > LOOKED_AT
    found = evidence_of(fixed, moving, transform, descriptor, mask=mask, expected=asks, progress=progress)
    chance = curve.probability(found.values.permute(1, 2, 3, 0).numpy())
    confidence = torch.from_numpy(chance.astype(np.float32)) * found.body
    distance, disagreement = found.values[:2] * found.body
    return ConfidenceMap(confidence, distance, disagreement, found.body, found.lattice, curve is not PLAIN)


def curve_name(descriptor: Descriptor) -> str:
    """Under which the calibration of a descriptor's maps is kept."""
    return f"{descriptor.name}:map"


def evidence_of(
    fixed: Image,
    moving: Image,
    transform: Transform,
    descriptor: Descriptor,
    *,
    mask: torch.Tensor | None = None,
    expected: bool = True,
    progress: Progress = silent,
) -> Evidence:
    """Look around every voxel of the map; arguments as those of :func:`confidence_of`.

    Args:
        expected: whether the expected error is made too, the fifth number, which takes seconds.
    """
    mask = body_mask(fixed) if mask is None else mask
    fine = descriptor.spacing or SPACING
    lattice = described_lattice(fixed.lattice, mask, fine, np.eye(3))
    inside = resample(mask.float(), fixed.lattice, lattice, padding="zeros") > 0.5
    index = moved_index(transform.displacement(lattice), moving.lattice)
    seen = sample(torch.ones_like(moving.data)[None], index)[0] > 0.5
    warped = sample(moving.data[None], index, padding="border")[0]
    here = _described(descriptor, fixed.on(lattice).data, inside, within(progress, 0.0, 0.4))
    there = _described(descriptor, warped, inside & seen, within(progress, 0.4, 0.8))
    error = _expected(here, there, (inside & seen).float(), fine)[None] if expected else None
    factor = max(round(GRID / fine), 1)
    here, there = _coarser(here, factor), _coarser(there, factor)
    body = F.avg_pool3d((inside & seen)[None].float(), factor, ceil_mode=True)[0] > 0.5
    affine = lattice.affine.copy()
    affine[:3, 3] = lattice.to_world(np.full(3, (factor - 1) / 2))
    affine[:3, :3] *= factor
    progress("confidence", 0.8, "looking forth and back")
    values = _look_around(here, there, fine * factor)
    if error is not None:
        values = torch.cat([values, F.avg_pool3d(error, factor, ceil_mode=True)])
    return Evidence(values, body, Lattice(as_shape(body.shape), affine))


def _expected(here: torch.Tensor, there: torch.Tensor, weight: torch.Tensor, spacing: float) -> torch.Tensor:
    """(I, J, K) logarithm of the expected error in mm, were this the end of a descent at the default's stiffness."""
    level = DescentSettings().levels[-1]
    reach, index = torch.ones_like(weight), index_grid(as_shape(weight.shape))
    equations = normal_equations(here, there, reach, weight, index, robust=level.robust)
    covariance = expected_covariance(equations, weight, level.stiffness, len(here))
    return 0.5 * (covariance[:3].sum(0) * spacing**2).clamp(min=1e-4).log()


def _described(descriptor: Descriptor, values: torch.Tensor, inside: torch.Tensor, progress: Progress) -> torch.Tensor:
    return describe(descriptor, descriptor.normalise(values, inside), progress=progress) * inside


def _coarser(features: torch.Tensor, factor: int) -> torch.Tensor:
    """Mean direction of the vectors in cubes of ``factor`` voxels."""
    return F.normalize(F.avg_pool3d(features[None], factor, ceil_mode=True)[0], dim=0, eps=1e-3)


def _look_around(here: torch.Tensor, there: torch.Tensor, spacing: float) -> torch.Tensor:
    """(:data:`LOOKED_AT`, I, J, K): the first numbers of :class:`Evidence`.

    The match's share of a softmax and its similarity say less: smooth images are similar to everything (measured).
    """
    reach = int(REACH // spacing)
    steps = [o for o in product(range(-reach, reach + 1), repeat=3) if np.linalg.norm(o) * spacing <= REACH]
    size = here.shape[1:]
    padded = F.pad(there, [reach] * 6)
    alike = torch.empty(len(steps), *size)
    for n, step in enumerate(steps):
        shifted = padded[(slice(None), *(slice(reach + s, reach + s + e) for s, e in zip(step, size, strict=True)))]
        alike[n] = (here * shifted).sum(0)
    _average(alike, (here != 0).any(0), spacing)
    offsets = torch.tensor(steps, dtype=torch.float32) * spacing
    best, which = alike.max(0)
    forth = offsets[which].movedim(-1, 0)
    rival = torch.full(size, -1.0)
    far = torch.cdist(offsets, offsets) > APART
    for n, one in enumerate(alike):
        rival = torch.where(far[n][which], torch.maximum(rival, one), rival)
    back = _back(alike, steps, offsets, reach)
    index = torch.stack(torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij"))
    landed = (index + (forth / spacing).round().long()).clamp(min=0)
    landed = torch.minimum(landed, torch.tensor(size).view(3, 1, 1, 1) - 1)
    disagreement = (forth - back[:, landed[0], landed[1], landed[2]]).norm(dim=0)
    away = forth + spacing * _between_voxels(alike, steps, which)
    return torch.stack([away.norm(dim=0), disagreement, best - rival, best - alike[steps.index((0, 0, 0))]])


def _between_voxels(alike: torch.Tensor, steps: list[tuple[int, ...]], which: torch.Tensor) -> torch.Tensor:
    """(3, I, J, K) voxels by which the top of the hill lies beside the best offset: a parabola along each axis."""
    number, best = {step: n for n, step in enumerate(steps)}, alike.gather(0, which[None])[0]
    beside = []
    for axis in range(3):
        at = [[number.get((*s[:axis], s[axis] + way, *s[axis + 1 :]), -1) for s in steps] for way in (-1, 1)]
        places = [torch.tensor(one)[which] for one in at]
        low, high = (alike.gather(0, place.clamp(min=0)[None])[0] for place in places)
        curved = low - 2 * best + high
        known = (places[0] >= 0) & (places[1] >= 0) & (curved < -1e-6)
        beside.append(torch.where(known, 0.5 * (low - high) / curved, 0.0).clamp(-0.5, 0.5))
    return torch.stack(beside)


def _average(alike: torch.Tensor, body: torch.Tensor, spacing: float) -> None:
    """Average each offset's similarities (N, I, J, K) over what lies around a voxel within the body, in place."""
    size = 2 * round(AROUND / spacing / 2 - 0.5) + 1
    inside = body.float()[None]
    share = F.avg_pool3d(inside, size, 1, size // 2).clamp(min=1e-3)
    for one in alike:
        one.copy_((F.avg_pool3d(one[None], size, 1, size // 2) / share * inside)[0])


def _back(alike: torch.Tensor, steps: list[tuple[int, ...]], offsets: torch.Tensor, reach: int) -> torch.Tensor:
    """(3, I, J, K) mm: of each moving voxel, the offset by which its best fixed voxel would reach it."""
    size = alike.shape[1:]
    best = torch.full(size, -2.0)
    which = torch.zeros(size, dtype=torch.long)
    for n, step in enumerate(steps):
        padded = F.pad(alike[n], [reach] * 6, value=-2.0)
        arriving = padded[tuple(slice(reach - s, reach - s + e) for s, e in zip(step, size, strict=True))]
        better = arriving > best
        best = torch.where(better, arriving, best)
        which[better] = n
    return offsets[which].movedim(-1, 0)
