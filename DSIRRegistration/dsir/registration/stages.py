"""The stages of a registration, in the order they run; each a function of its inputs and the settings.

None knows another's inside: what one hands to the next is a frozen record (:mod:`.handed_on`).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..errors import DsirError
from ..features.mind import Mind
from ..geometry.image import Image
from ..progress import Progress
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .agreement import covered_by
from .align import Alignment, align
from .discrete import discrete_search
from .handed_on import FeaturePair, FieldStart, Prepared, Start
from .landmark_forces import REACH, LandmarkForces
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
    residual_field,
)
from .settings import RegistrationSettings
from .working_grid import describe, reach_in_fixed, widened, working_lattice


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
