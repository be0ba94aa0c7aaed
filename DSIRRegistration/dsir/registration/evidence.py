"""A judge that took no part: does mutual information, which nothing here is fitted to, rise as well?

Descriptors of two contrasts can agree better in a wrong place, everywhere a little: then their similarity rises on
voxels that were left out, too. What intensities say is another opinion. Measured: it takes no notice of the growth by
1.3 % that MIND-SSC sees between one person's T1 and T2, nor of the deformation between the T1 and T2 of a neck that
lowers the cord's Dice from 1.00 to 0.84; it confirms every alignment that landmarks or labels confirm
(Testing/benchmarks/models.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..metrics.mutual_information import GROUPS, joint_histograms, levels, mutual_information, rise
from ..transforms.composite import Transform
from .blocks import Blocks
from .prepared_image import PreparedImage

SURE = 3.0
"""Standard errors by which something must rise to be believed; two are too few where four models are compared."""

ONCE = 2.0
"""Standard errors for a step that is judged alone, as the deformation is. Measured: 2.6 and 4.3 where two deformed
brains in T1 and T2 are laid upon each other (6.3 to 2.4, 6.7 to 3.2 mm), -9.7 and 0.1 where the truth is none."""

SHARPLY, DENIED = 0.77, -0.5
"""A deformation that leaves at most this share of the dissimilarity (1 - mean cosine) is kept as well where mutual
information does not fall by half a standard error. Measured by the default: 0.73 and -0.1 on averaged heads in CT and
T2, where DSIR takes the error from 6.0 to 4.7 mm; 0.80 and -0.4 on such heads in CT and T1 that lie right and would be
deformed by 3.4 mm. Drawn on these two pairs."""

SEEN = 0.1
"""Share of what is judged that both mappings must show, for them to be compared."""


Pulled = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""The moving image's values, body and field of view (I, J, K) in one pose."""


@dataclass(frozen=True)
class Evidence:
    """What the judge says.

    Attributes:
        rise: of the mutual information, nats.
        noise: its standard error.
        known: whether the two mappings show enough in common to be compared.
        whole: the mutual information to which it rose, nats.
    """

    rise: float
    noise: float
    known: bool = True
    whole: float = 0.0

    @property
    def speaks_for(self) -> bool:
        """Whether the rise is beyond its noise; true where nothing can be known."""
        return self.beyond(SURE)

    def beyond(self, errors: float) -> bool:
        """Whether the rise is more than so many standard errors; true where nothing can be known."""
        return not self.known or self.rise > errors * self.noise


def kept(evidence: Evidence, linear: float, end: float, *, slight: bool = False) -> bool:
    """Whether a deformation stays that raises the similarity (mean cosine) from ``linear`` to ``end``.

    It does if mutual information confirms it, or does not deny it and the descriptors speak loudly. One that moves
    nothing by a voxel must be confirmed surely: what so little gains by chance, a pair that lies well would pay for.
    (Measured: one person's T1 and T2, ``brain_t1_t2``, by the default: 0.7 mm in the mean, 1.2 % of growth that no
    anatomy has, 2.6 standard errors. Drawn on this pair.)

    Args:
        slight: whether it is shorter than a voxel of the working grid all over the body.
    """
    if slight:
        return evidence.speaks_for
    loudly = 1 - end <= SHARPLY * (1 - linear)
    return evidence.beyond(ONCE) or (loudly and evidence.beyond(DENIED))


@dataclass(frozen=True, eq=False)
class Judge:
    """One pair of images, ready to be judged in one pose or another.

    Attributes:
        fixed: (I, J, K) its grey levels on ``lattice``.
        moving: read in each pose.
        blocks: where they are judged.
        last: the moving image in the pose that was judged last; one result is compared with many others.
    """

    fixed: torch.Tensor
    moving: PreparedImage
    blocks: Blocks
    lattice: Lattice
    last: dict[Transform, Pulled] = field(default_factory=dict)

    @staticmethod
    def of(fixed: PreparedImage, moving: PreparedImage, blocks: Blocks, lattice: Lattice) -> Judge:
        """``blocks`` of the fixed body on ``lattice``."""
        values, _, _ = fixed.on(lattice, Transform())
        return Judge(levels(values, blocks.judged), moving, blocks, lattice)

    @staticmethod
    def on(lattice: Lattice, fixed: PreparedImage, moving: PreparedImage) -> Judge:
        """On blocks of the whole fixed body."""
        _, body, _ = fixed.on(lattice, Transform())
        return Judge.of(fixed, moving, Blocks.of(body, lattice), lattice)

    @property
    def group(self) -> torch.Tensor:
        """(I, J, K) which of the groups that tell the noise a voxel's block is in: neighbours are in others."""
        return (self.blocks.number * 7919) % GROUPS

    def pulled(self, pose: Transform) -> Pulled:
        """The moving image's values, body and field of view (I, J, K) in this pose."""
        if pose not in self.last:
            self.last.clear()
            self.last[pose] = self.moving.on(self.lattice, pose)
        return self.last[pose]

    def compare(self, before: Transform, after: Transform) -> Evidence:
        """One mapping, fixed to moving, against another, on what both of them show."""
        return self.compare_pulled(self.moving.on(self.lattice, before), after)

    def compare_pulled(self, before: Pulled, after: Transform) -> Evidence:
        """The same, of a mapping whose moving image is at hand."""
        first, _, seen = before
        second, _, also = self.pulled(after)
        weight = self.blocks.judged * seen * also
        if weight.sum() < SEEN * self.blocks.judged.sum():
            return Evidence(0.0, float("inf"), known=False)
        histograms = [joint_histograms(self.fixed, levels(v, weight), weight, self.group) for v in (first, second)]
        return Evidence(*rise(*histograms), whole=float(mutual_information(histograms[1].sum(0))))


def deformation_helps(
    fixed: Image,
    moving: Image,
    fixed_mask: torch.Tensor,
    moving_mask: torch.Tensor,
    lattice: Lattice,
    linear: Transform,
    whole: Transform,
) -> Evidence:
    """Whether the whole mapping is better than its linear part alone.

    Args:
        fixed_mask, moving_mask: bool on the images' own lattices.
        lattice: to compare on; the working lattice, or a coarser one.
        linear, whole: fixed to moving, the user's initial transform included in both.
    """
    spacing = float(lattice.spacing[0])
    still, other = PreparedImage.of(fixed, fixed_mask, spacing), PreparedImage.of(moving, moving_mask, spacing)
    return Judge.on(lattice, still, other).compare(linear, whole)
