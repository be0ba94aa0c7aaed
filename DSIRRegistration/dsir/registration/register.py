"""The pipeline: two images in, one transform out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..errors import DsirError
from ..features.mind import Mind
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..progress import Progress, silent
from ..transforms.composite import Linear, Transform
from ..transforms.field import DisplacementField
from ..transforms.jacobian import fold_report
from .agreement import covered_by, mean_cosine
from .align import Alignment, align
from .boundary_fade import tapered
from .discrete import discrete_search
from .landmark_forces import REACH, Pairs, Springs
from .levels import descend_levels
from .memory import planned
from .preparation import MARGIN, chosen_descriptor, finest_spacing, given_or_found, working_spacing
from .refinement import believed, bend, distances, led_on, left_out, linear_part, lost, shortened
from .settings import RegistrationSettings
from .working_grid import describe, reach_in_fixed, widened, working_lattice


@dataclass(frozen=True)
class RegistrationResult:
    """What a registration found.

    Attributes:
        transform: fixed to moving; the parts are ``(residual field, linear[, initial ...])``.
        settings: what it ran with.
        report: JSON-ready facts: ``seconds`` by stage, ``similarity`` (mean cosine in the fixed body) before, after the
            linear stage and at the end, ``folds``, ``smallest_determinant``, ``sd_log_j``, ``coverage`` (share of the
            fixed body that has a counterpart in the moving image), ``lattice``, ``descriptor``, ``warnings``.
    """

    transform: Transform
    settings: RegistrationSettings
    report: dict[str, Any]

    def displacement(self, lattice: Lattice) -> DisplacementField:
        """u(x) in RAS mm at the voxels of ``lattice``, everything included."""
        return self.transform.displacement(lattice)


def register(
    fixed: Image,
    moving: Image,
    settings: RegistrationSettings | None = None,
    *,
    fixed_mask: torch.Tensor | None = None,
    moving_mask: torch.Tensor | None = None,
    initial: Transform | None = None,
    refine: Transform | None = None,
    landmarks: Pairs | None = None,
    progress: Progress = silent,
) -> RegistrationResult:
    """Find where each fixed point lies in the moving image.

    Args:
        fixed_mask, moving_mask: bool tensors on their images' lattices; the body is found when they are not given.
        initial: a start, fixed to moving; it stays a part of the result.
        refine: a transform to be improved, in the place of ``initial``: nothing is searched for, the descent begins
            from it (:mod:`.refining`), unless ``landmarks`` say that it is lost.
        landmarks: pairs of points (:class:`dsir.files.landmarks.LandmarkPairs`) as soft constraints, within their
            tolerance; without ``initial`` they are the linear start too.
        progress: told of each step; raises :class:`dsir.errors.Cancelled` to stop.

    Raises:
        DsirError: the images share no space, hold nothing, or a setting is impossible.
    """
    settings = settings or RegistrationSettings()
    with _repeatable(settings), torch.no_grad():  # not inference_mode: the paper's descent needs gradients within
        return _register(fixed, moving, settings, fixed_mask, moving_mask, initial, refine, landmarks, progress)


def _register(
    fixed: Image,
    moving: Image,
    settings: RegistrationSettings,
    fixed_mask: torch.Tensor | None,
    moving_mask: torch.Tensor | None,
    initial: Transform | None,
    refine: Transform | None,
    landmarks: Pairs | None,
    progress: Progress,
) -> RegistrationResult:
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        seconds[stage] = round(time.perf_counter() - clock, 3)
        clock = time.perf_counter()

    progress("prepare", 0.0, "finding the body in both images")
    descriptor = chosen_descriptor(settings)
    fixed_mask, moving_mask = given_or_found(fixed, fixed_mask, "fixed"), given_or_found(moving, moving_mask, "moving")
    plan = planned(
        fixed.lattice,
        moving.lattice,
        working_lattice(fixed, fixed_mask, spacing=finest_spacing(fixed, moving, settings), margin=MARGIN),
        descriptor,
        settings,
    )
    settings, warnings = plan.settings, list(plan.warnings)
    lap("prepare")

    if initial is not None and refine is not None:
        raise DsirError("An initial transform and one to refine cannot both be the start; give one of them.")
    known = None if refine is None or lost(refine, landmarks) else refine
    if known is not None:
        alignment = Alignment(linear_part(known), "refined", 0.0, 0.0)
    else:
        # Twelve numbers need no network: MIND-SSC finds them at a fraction of the cost (measured: Docs/solver.md).
        alignment = align(
            fixed,
            moving,
            fixed_mask,
            moving_mask,
            Mind(),
            settings.linear,
            initial=initial,
            landmarks=landmarks,
            tell=lambda fraction, message: progress("linear", 0.03 + 0.27 * fraction, message),
        )
    linear = Linear(alignment.matrix)
    lap("linear")

    progress("features", 0.3, f"describing both images ({descriptor.name})")
    spacing = working_spacing(fixed, moving, fixed_mask, settings)
    lattice = working_lattice(fixed, fixed_mask, spacing=spacing, margin=MARGIN)
    target = describe(descriptor, fixed, fixed_mask, lattice, piece=plan.piece)
    progress("features", 0.38, f"describing both images ({descriptor.name})")
    pose = Transform((linear, *(initial.parts if initial else ())))
    reach = widened(lattice, max(settings.discrete.captures) / 2, reach_in_fixed(moving.lattice, pose))
    source = describe(descriptor, moving, moving_mask, reach, pose, piece=plan.piece)
    covered = float((target.mask * covered_by(target, source)).sum())
    if covered < 1:
        raise DsirError(
            "The two images share no space: nothing of the fixed body lies within the moving image. "
            "Give an initial transform, or let the linear stage search (start 'auto')."
        )
    lap("features")

    springs = Springs.behind(landmarks, pose)
    if springs is not None and known is not None:
        kept = believed(known, landmarks)
        springs = springs.only(kept)
        if not kept.all():
            warnings.append(left_out(int((~kept).sum()), len(landmarks)))
    led = springs.smooth_field(lattice.with_spacing(2 * REACH)) if springs else None
    field = led or DisplacementField.identity(lattice)
    if known is not None:
        field = led_on(bend(known, lattice), springs)
        shorter = replace(settings.descent, levels=shortened(settings.descent.levels))
        settings = replace(settings, descent=shorter)
    elif settings.discrete.enabled:
        progress("discrete", 0.45, f"searching displacements up to {max(settings.discrete.captures):g} mm")
        field = discrete_search(target, source, settings.discrete, led)
        lap("discrete")

    field = descend_levels(target, source, field, settings, springs, progress)
    lap("descent")

    progress("finish", 0.95, "checking the field for folds")
    residual = tapered(field, spacing=max(2 * spacing, 3.0))
    # Undoing the linear part is a mapping too, so the start is measured on the very same descriptors.
    undone = DisplacementField.from_affine(np.linalg.inv(alignment.matrix), lattice)
    start, before, after = (mean_cosine(target, source, f) for f in (undone, None, residual))
    if after < before and springs is None:
        # The search found nothing better than the linear alignment: that is then the honest answer.
        warnings.append("The deformable stages did not raise the similarity; only the linear alignment is kept.")
        residual, after = DisplacementField.identity(residual.lattice), before
    folds = fold_report(residual)
    coverage = covered / float(target.mask.sum())
    if coverage < 0.98:
        warnings.append(
            f"{100 * (1 - coverage):.0f} % of the fixed body lies outside the moving image's field of view; "
            "there the field fades to the linear alignment and must not be trusted."
        )
    if after < LOW_SIMILARITY:
        warnings.append(
            f"The similarity after registration is only {after:.2f}: the registration has probably failed. "
            "Check that both scans show the same region, or give an initial transform."
        )
    lap("finish")
    report = {
        "seconds": seconds,
        "similarity": {"start": start, "linear": before, "end": after},
        "landmarks": None
        if landmarks is None or len(landmarks) == 0
        else _pairs(landmarks, refine or initial, Transform((residual, *pose.parts))),
        "linear": {"start": alignment.start, "matrix": alignment.matrix.tolist()},
        "folds": folds.folds,
        "smallest_determinant": folds.smallest,
        "sd_log_j": folds.sd_log_j,
        "coverage": coverage,
        "lattice": {"shape": list(lattice.shape), "spacing_mm": spacing},
        "descriptor": descriptor.identity,
        "warnings": warnings,
    }
    progress("done", 1.0, f"similarity {start:.2f} to {after:.2f}, {folds.folds} folds")
    parts = (residual, linear) if not linear.is_identity else (residual,)
    return RegistrationResult(Transform((*parts, *(initial.parts if initial else ()))), settings, report)


def _pairs(pairs: Pairs, start: Transform | None, end: Transform) -> dict[str, Any]:
    """How far the pairs are apart in mm, before (as they lay, or by the user's start) and after."""
    found: dict[str, Any] = {"count": len(pairs)}
    for name, transform in (("before", start or Transform()), ("after", end)):
        apart = distances(transform, pairs)
        found[name] = {"mean_mm": float(apart.mean()), "largest_mm": float(apart.max())}
    return found


LOW_SIMILARITY = 0.15
"""Mean cosine below which nothing was matched (unrelated scans reach about 0.1, our measurement)."""


@contextmanager
def _repeatable(settings: RegistrationSettings) -> Iterator[None]:
    """Seed and threads as asked, and as they were afterwards."""
    threads = torch.get_num_threads()
    state = torch.get_rng_state()
    torch.manual_seed(settings.seed)
    if settings.threads > 0:
        torch.set_num_threads(settings.threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
