"""Descriptors for the last levels, where it counts where an edge lies and no longer which edge it is.

The find vectors and MIND-SSC are there from the first description. A level between needs MIND-SSC only. The place head
(:mod:`dsir.features.place`) reads the find vectors beside the image and adds its own. Place vectors and MIND-SSC count
half each. On known pairs a last level by them takes 4 to 28 % off the error (Docs/measurements/solver.md); from far
away they confuse, so that the search and the coarse levels go without.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch

from ..features.blend import Blend
from ..features.dsir import Dsir
from ..features.normalise import normalise
from ..features.place_descriptor import PlaceOutput
from ..geometry.image import Image
from ..transforms.composite import Transform
from .handed_on import FeaturePair, Prepared
from .prepared_image import PreparedImage
from .working_grid import FeatureMap, grown

SHARE = 0.5
"""Of MIND-SSC beside the place vectors."""


class LevelFeatures:
    """What each level of the descent is matched by, made when the first level asks for it."""

    def __init__(self, prepared: Prepared, features: FeaturePair) -> None:
        """Both images as they were described for the search."""
        self.prepared, self.features = prepared, features
        descriptor = prepared.descriptor
        network = descriptor.first if isinstance(descriptor, Blend) else descriptor
        self.place = PlaceOutput.of(network) if isinstance(network, Dsir) else None

    @property
    def whole(self) -> tuple[FeatureMap, FeatureMap]:
        """All that was described: find vectors and MIND-SSC."""
        return self.features.fixed, self.features.moving

    def detail(self) -> tuple[FeatureMap, FeatureMap]:
        """MIND-SSC alone, for levels before those that place; all there is where the descriptor has no such part.

        Find vectors are a tenth of the weight and two thirds of the time. Measured without them: end-point errors after
        the levels that place 0.1 to 0.4 % higher (Docs/measurements/solver.md).
        """
        fixed, moving = (image.alone for image in self.whole)
        return fixed, moving

    @cached_property
    def placing(self) -> tuple[FeatureMap, FeatureMap]:
        """Place vectors and MIND-SSC, on the lattices the images lie on already.

        A network without a place head (one's own training) leaves these levels to MIND-SSC; a descriptor that has no
        second part is used as it is.
        """
        if self.place is None:
            return self.detail()
        prepared, features = self.prepared, self.features
        return (
            self._placed(self.place, prepared.fixed, prepared.fixed_mask, features.fixed, Transform()),
            self._placed(self.place, prepared.moving, prepared.moving_mask, features.moving, features.pose),
        )

    def _placed(
        self, place: PlaceOutput, image: Image, mask: torch.Tensor, known: FeatureMap, pose: Transform
    ) -> FeatureMap:
        """Place vectors and MIND-SSC of an image in the place of its find vectors; the order in memory is kept."""
        find, detail = (known.features, None) if known.find is None else (known.find, known.features)
        out = known.room(place.channels + (0 if detail is None else len(detail)))
        if detail is not None:
            torch.mul(detail, SHARE**0.5, out=out[place.channels :])
        values, _, _ = PreparedImage.of(image, mask, float(known.lattice.spacing[0])).on(known.lattice, pose)
        rim, vectors = grown(known.mask), out[: place.channels].zero_()
        place.describe(normalise(values, known.mask > 0.5), find, rim, vectors)
        vectors.mul_(rim.mul_((1.0 if detail is None else 1 - SHARE) ** 0.5).half())  # of one type: no copy of all
        return replace(known.alone, features=out)
