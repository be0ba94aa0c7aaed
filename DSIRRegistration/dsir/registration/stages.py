"""The stages of a registration, in the order they run; each a function of its inputs and the settings.

None knows another's inside: what one hands to the next is a frozen record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import DsirError
from ..features.descriptor import Descriptor
from ..features.mind import Mind
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..progress import Progress
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .agreement import covered_by
from .align import Alignment, align
from .discrete import discrete_search
from .landmark_forces import REACH, LandmarkForces, Pairs
from .linear import simplest
from .memory import planned
from .preparation import (
    MARGIN,
    UNSURE,
    chosen_descriptor,
    finest_spacing,
    given_or_found,
    uneven_masks,
    working_spacing,
)
from .refinement import (
    fewer_iterations,
    followed_by_forces,
    inlier_mask,
    linear_part,
    outliers_warning,
    outvoted_by_landmarks,
    residual_field,
)
from .search import centre_of_mass
from .settings import RegistrationSettings
from .working_grid import FeatureMap, describe, reach_in_fixed, widened, working_lattice


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


def prepare(
    fixed: Image,
    moving: Image,
    fixed_mask: torch.Tensor | None,
    moving_mask: torch.Tensor | None,
    settings: RegistrationSettings,
    progress: Progress,
) -> Prepared:
    """Masks, descriptor, and settings that fit into the memory asked for."""
    progress("prepare", 0.0, "finding the body in both images")
    descriptor = chosen_descriptor(settings)
    both_found = fixed_mask is None and moving_mask is None
    bodies = given_or_found(fixed, fixed_mask, "fixed"), given_or_found(moving, moving_mask, "moving")
    fixed_mask, moving_mask = (body.mask for body in bodies)
    named = zip(("fixed", "moving"), bodies, strict=True)
    doubts = [UNSURE.format(name=name, doubt=body.doubt) for name, body in named if body.doubt]
    uneven = uneven_masks(fixed, moving, (fixed_mask, moving_mask)) if both_found and not doubts else ""
    finest = working_lattice(fixed, fixed_mask, spacing=finest_spacing(fixed, moving, settings), margin=MARGIN)
    plan = planned(fixed.lattice, moving.lattice, finest, descriptor, settings)
    mask_doubts = (*doubts, *([uneven] if uneven else []))
    warnings = (*mask_doubts, *plan.warnings)
    told = bool(doubts) and all(body.stands_out is not None for body in bodies if body.doubt)
    certain = (bodies[0].certain, bodies[1].certain) if told else None
    return Prepared(
        fixed, moving, fixed_mask, moving_mask, descriptor, plan.settings, plan.piece, warnings, mask_doubts, certain
    )


def align_linearly(prepared: Prepared, start: Start, progress: Progress) -> Alignment:
    """The linear stage, or the linear part of what is refined.

    Twelve numbers need no network: MIND-SSC finds them at a fraction of the cost (Docs/measurements/solver.md).
    """
    if start.known is not None:
        matrix = linear_part(start.known)
        return Alignment(matrix, "refined", simplest(matrix))
    return align(
        prepared.fixed,
        prepared.moving,
        prepared.fixed_mask,
        prepared.moving_mask,
        Mind(),
        prepared.settings.linear,
        initial=start.initial,
        landmarks=start.landmarks,
        grows=prepared.settings.same_person is not True,
        tell=lambda fraction, message: progress("linear", 0.03 + 0.27 * fraction, message),
    )


def describe_both(prepared: Prepared, linear: Linear, start: Start, progress: Progress) -> FeaturePair:
    """Descriptors of both images on the working grid.

    Raises:
        DsirError: nothing of the fixed mask lies within the moving image.
    """
    descriptor, settings = prepared.descriptor, prepared.settings
    message = f"describing both images ({descriptor.name})"
    progress("features", 0.3, message)
    spacing = working_spacing(prepared.fixed, prepared.moving, prepared.fixed_mask, settings)
    lattice = working_lattice(prepared.fixed, prepared.fixed_mask, spacing=spacing, margin=MARGIN)
    fixed = describe(descriptor, prepared.fixed, prepared.fixed_mask, lattice, piece=prepared.piece)
    progress("features", 0.38, message)
    pose = Transform((linear, *(start.initial.parts if start.initial else ())))
    reach = widened(lattice, max(settings.discrete.captures) / 2, reach_in_fixed(prepared.moving.lattice, pose))
    moving = describe(descriptor, prepared.moving, prepared.moving_mask, reach, pose, piece=prepared.piece)
    covered = float((fixed.mask * covered_by(fixed, moving)).sum())
    if covered < 1:
        raise DsirError(
            "The two images share no space: nothing of the fixed body lies within the moving image. "
            "Give an initial transform, or let the linear stage search (start 'auto')."
        )
    return FeaturePair(fixed, moving, pose, covered)


def undeformed(features: FeaturePair, settings: RegistrationSettings) -> FieldStart:
    """No displacement, where no deformation is wanted."""
    return FieldStart(DisplacementField.identity(features.lattice), None, settings)


def starting_field(
    features: FeaturePair, start: Start, settings: RegistrationSettings, progress: Progress
) -> FieldStart:
    """The known field, or the one that the discrete search finds; landmarks pull on both."""
    forces, known = LandmarkForces.from_pairs(start.landmarks, features.pose), start.known
    warnings: tuple[str, ...] = ()
    if forces is not None and start.landmarks is not None and known is not None:
        kept = inlier_mask(known, start.landmarks)
        forces = forces.only(kept)
        if not kept.all():
            warnings = (outliers_warning(int((~kept).sum()), len(start.landmarks)),)
    lattice = features.lattice
    if known is not None:
        field = followed_by_forces(residual_field(known, lattice), forces)
        shorter = replace(settings.descent, levels=fewer_iterations(settings.descent.levels))
        return FieldStart(field, forces, replace(settings, descent=shorter), warnings)
    led_by_landmarks = forces.smooth_field(lattice.with_spacing(2 * REACH)) if forces else None
    if not settings.discrete.enabled:
        return FieldStart(led_by_landmarks or DisplacementField.identity(lattice), forces, settings, warnings)
    progress("discrete", 0.45, f"searching displacements up to {max(settings.discrete.captures):g} mm")
    field = discrete_search(features.fixed, features.moving, settings.discrete, led_by_landmarks)
    return FieldStart(field, forces, settings, warnings)
