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
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from .handed_on import FeaturePair, Prepared
from .prepared_image import PreparedImage
from .working_grid import FeatureMap, describe, grown

SHARE = 0.5
"""Of MIND-SSC beside the place vectors."""


class LevelFeatures:
    """What each level of the descent is matched by, made when the first level asks for it.

    After the first level the moving image is described anew through the field (:meth:`through`): its relations then
    reach along the deformed tissue's own axes, as the fixed image's do, and what is read between the described voxels
    is the little that is left to go. Measured: end-point errors 3 to 13 % lower (Docs/measurements/solver.md).
    """

    def __init__(self, prepared: Prepared, features: FeaturePair, begun: LevelFeatures | None = None) -> None:
        """Both images as they are described.

        Args:
            begun: as they were described for the search, where ``features`` holds the moving image anew.
        """
        self.prepared, self.features = prepared, features
        self.begun = begun or self

    @cached_property
    def place(self) -> PlaceOutput | None:
        """The network's second output; None where it has none."""
        descriptor = self.prepared.descriptor
        network = descriptor.first if isinstance(descriptor, Blend) else descriptor
        return PlaceOutput.of(network) if isinstance(network, Dsir) else None

    def through(self, field: DisplacementField) -> LevelFeatures:
        """The same with the moving image described in the pose of the linear stage and ``field`` before it.

        What only the network describes is read there instead: it knows what a voxel is, and is slow.
        """
        begun, known = self.begun, self.begun.features.moving
        field = field.on(begun.features.lattice)
        pose = Transform((field, *begun.features.pose.parts))
        descriptor, piece = self.prepared.descriptor, self.prepared.piece
        if isinstance(descriptor, Dsir):
            moving = known.onto(field.lattice, field)
        else:
            detail = descriptor.second if isinstance(descriptor, Blend) else descriptor
            moving = describe(detail, begun.moving_image, None, field.lattice, pose, piece=piece)
            if known.find is not None:
                moving = replace(moving, find=known.found_through(field), share=known.share)
        return LevelFeatures(self.prepared, replace(begun.features, moving=moving, pose=pose), begun)

    @cached_property
    def moving_image(self) -> PreparedImage:
        """The moving image, ready to be described in many poses."""
        spacing = float(self.features.lattice.spacing[0])
        return PreparedImage.of(self.prepared.moving, self.prepared.moving_mask, spacing)

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
        place = self.begun.place
        if place is None:
            return self.detail()
        return self.begun.fixed_placed, self._placed(
            place, self.begun.moving_image, self.features.moving, self.features.pose
        )

    @cached_property
    def fixed_placed(self) -> FeatureMap:
        """The fixed image of :attr:`placing`, described once."""
        assert self.place is not None
        prepared, known = self.prepared, self.features.fixed
        image = PreparedImage.of(prepared.fixed, prepared.fixed_mask, float(known.lattice.spacing[0]))
        return self._placed(self.place, image, known, Transform())

    @staticmethod
    def _placed(place: PlaceOutput, image: PreparedImage, known: FeatureMap, pose: Transform) -> FeatureMap:
        """Place vectors and MIND-SSC of an image in the place of its find vectors; the order in memory is kept."""
        find, detail = (known.features, None) if known.find is None else (known.find, known.features)
        out = known.room(place.channels + (0 if detail is None else len(detail)))
        if detail is not None:
            torch.mul(detail, SHARE**0.5, out=out[place.channels :])
        values = image.read(known.lattice, pose)
        rim, vectors = grown(known.mask), out[: place.channels].zero_()
        place.describe(normalise(values, known.mask > 0.5), find, rim, vectors)
        vectors.mul_(rim.mul_((1.0 if detail is None else 1 - SHARE) ** 0.5).half())  # of one type: no copy of all
        return replace(known.alone, features=out)
