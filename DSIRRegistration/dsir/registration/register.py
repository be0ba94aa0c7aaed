"""The pipeline: two images in, one transform out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..progress import Progress, silent
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .findings import Finding, verdict_of
from .halves import judged_by_halves
from .handed_on import FeaturePair, FieldStart, Prepared, Start
from .landmark_forces import Pairs
from .levels import descend_levels
from .magnification import brought_back, enlarged, enlarged_pairs, enlarged_transform, magnification
from .outcome import Outcome, finish, landmark_distances
from .placing import LevelFeatures
from .repeatable import repeatable
from .settings import RegistrationSettings
from .stages import align_linearly, describe_both, prepare, starting_field, undeformed
from .stopwatch import Stopwatch
from .verdict import judged_by_masks, judged_by_size
from .verdict_images import judged_by_images


@dataclass(frozen=True)
class RegistrationResult:
    """What a registration found.

    Attributes:
        transform: fixed to moving; the parts are ``(residual field, linear[, initial ...])``; a part that moves nothing
            is left out, so that a linear result is linear.
        settings: what it ran with.
        report: JSON-ready facts: ``seconds`` by stage, ``similarity`` (mean cosine in the fixed body) before, after the
            linear stage and at the end, ``linear`` (:meth:`.align.Alignment.to_json`), ``deformation`` (whether it
            was ``kept`` and ``confirmed``, what spoke for it, how large one was that was ``refused_mm``), ``folds``,
            ``smallest_determinant``, ``sd_log_j``, ``coverage`` (share of the fixed body that has a counterpart in the
            moving image), ``lattice``, ``descriptor``, ``warnings``, ``verdict`` (:mod:`.findings`: ``level`` and
            ``reasons``).
        masks: (I, J, K) bool of fixed and moving on their own grids: what was registered.
    """

    transform: Transform
    settings: RegistrationSettings
    report: dict[str, Any]
    masks: tuple[torch.Tensor, torch.Tensor] | None = None

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
            from it (:mod:`.refinement`), unless ``landmarks`` say that it is lost.
        landmarks: pairs of points (:class:`dsir.files.landmarks.LandmarkPairs`) as soft constraints, within their
            tolerance; without ``initial`` they are the linear start too.
        progress: told of each step; raises :class:`dsir.errors.Cancelled` to stop.

    Raises:
        DsirError: the images share no space, hold nothing, or a setting is impossible.
    """
    factor = magnification(fixed, fixed_mask)
    if factor != 1.0:
        found = register(
            enlarged(fixed, factor),
            enlarged(moving, factor),
            settings,
            fixed_mask=body_mask(enlarged(fixed, factor)) if fixed_mask is None else fixed_mask,
            moving_mask=moving_mask,
            initial=enlarged_transform(initial, factor) if initial else None,
            refine=enlarged_transform(refine, factor) if refine else None,
            landmarks=enlarged_pairs(landmarks, factor) if landmarks is not None else None,
            progress=progress,
        )
        back = enlarged_transform(found.transform, 1 / factor)
        return RegistrationResult(back, found.settings, brought_back(found.report, factor), found.masks)
    settings = settings or RegistrationSettings()
    start, watch = Start(initial, refine, landmarks), Stopwatch()
    # Not inference_mode: the paper's descent needs gradients within.
    with repeatable(settings, progress) as progress, torch.no_grad():
        with watch.stage("prepare"):
            prepared = prepare(fixed, moving, fixed_mask, moving_mask, settings, progress)
        with watch.stage("linear"):
            alignment = align_linearly(prepared, start, progress)
            linear = Linear(alignment.matrix)
        with watch.stage("features"):
            features = describe_both(prepared, linear, start, progress)
        begun, field = _deformed(prepared, features, start, watch, progress)
        progress("finish", 0.95, "judging the deformation, checking it for folds")
        with watch.stage("finish"):
            outcome = finish(prepared, features, alignment, begun, start, field)
        transform = outcome.transform(linear, initial)
        with watch.stage("verdict"):
            seen, masks = _judged(prepared, features, outcome, initial or refine or Transform(), transform)
    report = {
        "seconds": watch.seconds,
        "similarity": outcome.similarity,
        "landmarks": landmark_distances(start, transform),
        "linear": alignment.to_json(features.centre),
        "deformation": outcome.deformation,
        "folds": outcome.folds.folds,
        "smallest_determinant": outcome.folds.smallest,
        "sd_log_j": outcome.folds.sd_log_j,
        "coverage": features.coverage,
        "lattice": {"shape": list(features.lattice.shape), "spacing_mm": float(features.lattice.spacing[0])},
        "descriptor": prepared.descriptor.identity,
        "warnings": [*prepared.warnings, *outcome.warnings],
    }
    sizes = judged_by_size(report, same_person=prepared.settings.same_person, field=outcome.residual)
    report["verdict"] = verdict_of([*seen, *sizes, *masks])
    message = "similarity {start:.2f} to {end:.2f}, {folds} folds"
    progress("done", 1.0, message.format(**outcome.similarity, folds=outcome.folds.folds))
    return RegistrationResult(transform, begun.settings, report, (prepared.fixed_mask, prepared.moving_mask))


def _deformed(
    prepared: Prepared, features: FeaturePair, start: Start, watch: Stopwatch, progress: Progress
) -> tuple[FieldStart, DisplacementField]:
    """The field that the descent begins from, and that it ends at; both nought where nothing is to be deformed."""
    settings = prepared.settings
    if settings.deformable is False:
        begun = undeformed(features, settings)
        return begun, begun.field
    with watch.stage("discrete" if start.known is None and settings.discrete.enabled else "start"):
        begun = starting_field(features, start, settings, progress)
    with watch.stage("descent"):
        levels = LevelFeatures(prepared, features)
        return begun, descend_levels(levels, begun.field, begun.settings, begun.forces, progress)


def _judged(
    prepared: Prepared, features: FeaturePair, outcome: Outcome, began: Transform, ended: Transform
) -> tuple[list[Finding], list[Finding]]:
    """What the two scans say of the result, and what is to be said of their masks."""
    same, certain = prepared.settings.same_person, prepared.certain

    def by_images(masks: tuple[torch.Tensor, torch.Tensor]) -> list[Finding]:
        return judged_by_images(prepared.fixed, prepared.moving, masks, began, ended, same_person=same)

    seen = by_images((prepared.fixed_mask, prepared.moving_mask))
    if outcome.deformation["kept"] and same is not False:
        seen += judged_by_halves(features.fixed, features.moving, outcome.residual)
    borne_out = certain is not None and not by_images(certain)
    return seen, judged_by_masks(prepared.mask_doubts, borne_out)
