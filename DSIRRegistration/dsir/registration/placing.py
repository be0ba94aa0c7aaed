"""Descriptors for the last levels, where it counts where an edge lies and no longer which edge it is.

The find vectors and MIND-SSC are there from the first description; the place head (:mod:`dsir.features.place`) reads
the find vectors beside the image and adds its own. Place vectors and MIND-SSC count half each. On known pairs a last
level by them takes 4 to 28 % off the error (Docs/measurements/solver.md); from far away they confuse, so that the
search and the coarse levels go without.
"""

from __future__ import annotations

import torch

from ..features.blend import Blend
from ..features.dsir import Dsir
from ..features.normalise import normalise
from ..features.place_descriptor import PlaceOutput
from ..geometry.channels_last import side_by_side
from ..geometry.image import Image
from ..transforms.composite import Transform
from .stages import FeaturePair, Prepared
from .working_grid import FeatureMap, PreparedImage, grown

SHARE = 0.5
"""Of MIND-SSC beside the place vectors."""


def placing_pair(prepared: Prepared, features: FeaturePair) -> tuple[FeatureMap, FeatureMap]:
    """Fixed and moving image described for the last levels, on the lattices they lie on already.

    A network without a place head (one's own training) leaves these levels to MIND-SSC; a descriptor that has no
    second part is used as it is.
    """
    fixed, moving, descriptor = features.fixed, features.moving, prepared.descriptor
    network = descriptor.first if isinstance(descriptor, Blend) else descriptor
    place = PlaceOutput.of(network) if isinstance(network, Dsir) else None
    share = descriptor.share if isinstance(descriptor, Blend) else 0.0
    if place is None and not share:
        return fixed, moving
    return Parts(network.channels, share, place).pair(prepared, features)


class Parts:
    """What a description consists of, and what the last levels make of it."""

    def __init__(self, find: int, share: float, place: PlaceOutput | None) -> None:
        """``find``: channels of the find vectors, which come first; ``share``: of MIND-SSC behind them."""
        self.find, self.share, self.place = find, share, place

    def pair(self, prepared: Prepared, features: FeaturePair) -> tuple[FeatureMap, FeatureMap]:
        """Fixed and moving image so described."""
        return (
            self._described(prepared.fixed, prepared.fixed_mask, features.fixed, Transform()),
            self._described(prepared.moving, prepared.moving_mask, features.moving, features.pose),
        )

    def _described(self, image: Image, mask: torch.Tensor, known: FeatureMap, pose: Transform) -> FeatureMap:
        """Place vectors and MIND-SSC of an image in the place of its find vectors; the order in memory is kept."""
        detail = known.features[self.find :] if self.share else known.features[:0]
        count = self.place.channels if self.place else 0
        shape, channels = known.lattice.shape, count + len(detail)
        beside = known.features.stride(0) == 1
        out = side_by_side(shape, channels) if beside else torch.empty(channels, *shape, dtype=torch.float16)
        if len(detail):
            weight = (SHARE if self.place else 1.0) / self.share
            out[count:] = detail.float().mul_(weight**0.5)
        if self.place:
            values, _, _ = PreparedImage.of(image, mask, float(known.lattice.spacing[0])).on(known.lattice, pose)
            rim, weight = grown(known.mask), (1 - SHARE if len(detail) else 1.0) ** 0.5
            vectors = self.place.describe(normalise(values, known.mask > 0.5), known.features[: self.find], rim)
            torch.mul(vectors, rim.mul_(weight), out=out[:count])
        return FeatureMap(out, known.mask, known.reach, known.lattice)
