"""What one stage of a registration hands to the next, and where the user lets it begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import DsirError
from ..features.descriptor import Descriptor
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from .landmark_forces import LandmarkForces, Pairs
from .refinement import outvoted_by_landmarks
from .search import centre_of_mass
from .settings import RegistrationSettings
from .working_grid import FeatureMap


@dataclass(frozen=True, eq=False)
class Start:
    """Where the user lets it begin.

    Attributes:
        initial: fixed to moving; stays a part of the result.
        refine: fixed to moving, to be improved: nothing is searched for, the descent begins from it.
        landmarks: pairs of points as soft constraints.
    """

    initial: Transform | None = None
    refine: Transform | None = None
    landmarks: Pairs | None = None

    def __post_init__(self) -> None:
        if self.initial is not None and self.refine is not None:
            raise DsirError("An initial transform and one to refine cannot both be the start; give one of them.")

    @property
    def known(self) -> Transform | None:
        """The transform to refine, unless the landmarks speak against it."""
        if self.refine is None or outvoted_by_landmarks(self.refine, self.landmarks):
            return None
        return self.refine


@dataclass(frozen=True, eq=False)
class Prepared:
    """Two images ready to be registered.

    Attributes:
        fixed_mask, moving_mask: (I, J, K) bool on the images' own grids.
        settings: what fits into the memory asked for.
        piece: voxels described in one go.
        warnings: one sentence each.
        mask_doubts: those of them that are about the masks.
        certain: (I, J, K) bool of fixed and moving: what is body for certain, where a whole view was taken in the place
            of a mask and enough of it stands out; None: there is nothing to judge by but the masks.
    """

    fixed: Image
    moving: Image
    fixed_mask: torch.Tensor
    moving_mask: torch.Tensor
    descriptor: Descriptor
    settings: RegistrationSettings
    piece: int
    warnings: tuple[str, ...]
    mask_doubts: tuple[str, ...] = ()
    certain: tuple[torch.Tensor, torch.Tensor] | None = None


@dataclass(frozen=True, eq=False)
class FeaturePair:
    """Both images as descriptors, the moving one in the pose of the linear stage.

    Attributes:
        pose: fixed to moving, the linear stage and the initial transform behind it.
        covered: fixed voxels of the mask that have a counterpart (their weights' sum).
    """

    fixed: FeatureMap
    moving: FeatureMap
    pose: Transform
    covered: float

    @property
    def lattice(self) -> Lattice:
        """The working grid."""
        return self.fixed.lattice

    @property
    def centre(self) -> np.ndarray:
        """(3,) RAS mm: the middle of the fixed body."""
        return centre_of_mass(self.fixed.mask, self.lattice)

    @property
    def coverage(self) -> float:
        """Share of the fixed mask that has a counterpart."""
        return self.covered / float(self.fixed.mask.sum())


@dataclass(frozen=True, eq=False)
class FieldStart:
    """Where the descent begins.

    Attributes:
        field: fixed space to linearly aligned moving space.
        forces: of the landmarks that are kept.
        settings: with fewer steps where a result is refined.
        warnings: one sentence each.
    """

    field: DisplacementField
    forces: LandmarkForces | None
    settings: RegistrationSettings
    warnings: tuple[str, ...] = ()
