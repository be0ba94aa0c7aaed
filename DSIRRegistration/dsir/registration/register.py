"""The pipeline: two images in, one transform out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..body import body_mask
from ..errors import DsirError
from ..features.blend import Blend
from ..features.descriptor import Descriptor, load_descriptor
from ..features.mind import Mind
from ..field import DisplacementField
from ..image import Image
from ..jacobian import fold_report
from ..lattice import Lattice
from ..progress import Progress, silent
from ..proposal.propose import Proposer
from ..sampling import affine_grid, sample
from ..transform import Linear, Transform
from .align import Alignment, align
from .descent import descend
from .discrete import discrete_search
from .frame import Described, describe, reach_in_fixed, widened, working_lattice
from .memory import planned
from .normal import SLAB
from .paper import descend_as_paper
from .refining import believed, bend, distances, led_on, left_out, linear_part, lost, shortened
from .settings import RegistrationSettings
from .steering import REACH, Pairs, Springs
from .taper import tapered


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
        landmarks: pairs of points (:class:`dsir.similarity.landmarks.LandmarkPairs`) as soft constraints, within their
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
    descriptor = _descriptor(settings)
    network = settings.initial_network
    proposer = Proposer.read(Path(network), _device(settings.device)) if network else None
    fixed_mask, moving_mask = _mask(fixed, fixed_mask, "fixed"), _mask(moving, moving_mask, "moving")
    plan = planned(
        fixed.lattice,
        moving.lattice,
        working_lattice(fixed, fixed_mask, spacing=_finest(fixed, moving, settings), margin=MARGIN),
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
    spacing = _spacing(fixed, moving, fixed_mask, settings)
    lattice = working_lattice(fixed, fixed_mask, spacing=spacing, margin=MARGIN)
    target = describe(descriptor, fixed, fixed_mask, lattice, piece=plan.piece)
    progress("features", 0.38, f"describing both images ({descriptor.name})")
    pose = Transform((linear, *(initial.parts if initial else ())))
    reach = widened(lattice, max(settings.discrete.captures) / 2, reach_in_fixed(moving.lattice, pose))
    source = describe(descriptor, moving, moving_mask, reach, pose, piece=plan.piece)
    covered = float((target.mask * _covered(target, source)).sum())
    if covered < 1:
        raise DsirError(
            "The two images share no space: nothing of the fixed body lies within the moving image. "
            "Give an initial transform, or let the linear stage search (start 'auto')."
        )
    lap("features")

    proposal = None
    if proposer is not None and known is None and landmarks is None:
        progress("features", 0.42, "asking the registration network")
        proposal = proposer(
            descriptor,
            target,
            source,
            lambda own: (
                describe(own, fixed, fixed_mask, lattice, piece=plan.piece),
                describe(own, moving, moving_mask, reach, pose, piece=plan.piece),
            ),
        )
        lap("proposal")

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
    elif proposal is not None and proposal.field is not None:
        field = proposal.field
    elif settings.discrete.enabled:
        progress("discrete", 0.45, f"searching displacements up to {max(settings.discrete.captures):g} mm")
        field = discrete_search(target, source, settings.discrete, led)
        lap("discrete")

    field = _descend(target, source, field, settings, springs, progress)
    lap("descent")

    progress("finish", 0.95, "checking the field for folds")
    residual = tapered(field, spacing=max(2 * spacing, 3.0))
    # Undoing the linear part is a mapping too, so the start is measured on the very same descriptors.
    undone = DisplacementField.from_affine(np.linalg.inv(alignment.matrix), lattice)
    start, before, after = (_similarity(target, source, f) for f in (undone, None, residual))
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
        "proposal": proposal and proposal.report,
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


MARGIN = 16.0
"""mm around the fixed body that are registered with it."""

LOW_SIMILARITY = 0.15
"""Mean cosine below which nothing was matched (unrelated scans reach about 0.1, our measurement)."""


def _descend(
    target: Described,
    source: Described,
    field: DisplacementField,
    settings: RegistrationSettings,
    springs: Springs | None,
    progress: Progress,
) -> DisplacementField:
    if settings.descent.method == "paper":
        return descend_as_paper(
            target,
            source,
            field,
            settings.descent.paper,
            lambda fraction, loss: progress("descent", 0.55 + 0.4 * fraction, f"loss {loss:.3f}"),
        )
    if settings.descent.method != "compositive":
        raise DsirError(f"The descent method must be 'compositive' or 'paper', not {settings.descent.method!r}.")
    done, total = 0, sum(level.iterations for level in settings.descent.levels)
    for level in settings.descent.levels:
        spacing = level.scale * float(target.lattice.spacing[0])
        fine, other = target.on(spacing), source.on(spacing)

        def tell(n: int, cost: float, done: int = done, level=level, spacing: float = spacing) -> None:
            message = f"{spacing:.3g} mm, step {n + 1} of {level.iterations}, similarity {1 - cost / 2:.3f}"
            progress("descent", 0.55 + 0.4 * (done + n) / total, message)

        u, _ = descend(fine, other, field.on(fine.lattice).to_index(), level, tell, springs)
        field = DisplacementField.from_index(u, fine.lattice)
        done += level.iterations
    return field


def _similarity(target: Described, source: Described, field: DisplacementField | None) -> float:
    """Mean cosine over the fixed body; voxels without a counterpart count 0."""
    index = affine_grid(target.lattice, source.lattice)
    if field is not None:
        index += field.on(target.lattice).to_index()
    total, planes = 0.0, max(1, SLAB // target.mask[0].numel())
    for start in range(0, target.mask.shape[0], planes):
        slab = slice(start, start + planes)
        cosine = torch.zeros_like(target.mask[slab])
        for a, b in zip(target.features[:, slab], sample(source.features, index[:, slab]), strict=True):
            cosine.addcmul_(a.float(), b.float())
        total += float((cosine * target.mask[slab]).sum())
    return total / float(target.mask.sum().clamp(min=1e-6))


def _covered(target: Described, source: Described) -> torch.Tensor:
    return sample(source.reach[None], affine_grid(target.lattice, source.lattice))[0]


def _spacing(fixed: Image, moving: Image, mask: torch.Tensor, settings: RegistrationSettings) -> float:
    """mm of the working lattice: as asked, but never finer than both images nor larger than may be."""
    spacing = _finest(fixed, moving, settings)
    while np.prod(working_lattice(fixed, mask, spacing=spacing, margin=MARGIN).shape) > settings.voxels:
        spacing *= 1.05
    return float(spacing)


def _finest(fixed: Image, moving: Image, settings: RegistrationSettings) -> float:
    """mm as asked, but not finer than both images."""
    native = min(float(np.prod(image.lattice.spacing) ** (1 / 3)) for image in (fixed, moving))
    return max(settings.spacing, native)


def _mask(image: Image, mask: torch.Tensor | None, name: str) -> torch.Tensor:
    if mask is None:
        return body_mask(image)
    if tuple(mask.shape) != image.lattice.shape:
        raise DsirError(
            f"The {name} mask has the shape {tuple(mask.shape)}, the {name} image {image.lattice.shape}: "
            "they must lie on one grid."
        )
    if not bool(mask.any()):
        raise DsirError(f"The {name} mask is empty.")
    return mask.bool()


def _descriptor(settings: RegistrationSettings) -> Descriptor:
    descriptor = load_descriptor(settings.descriptor, _device(settings.device))
    if not 0 <= settings.detail < 1:
        raise DsirError(f"The share of detail channels must lie between 0 and 1 (1 excluded), not {settings.detail:g}.")
    learned = descriptor.spacing is not None
    return Blend(descriptor, Mind(), settings.detail) if learned and settings.detail > 0 else descriptor


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(name, False):
        raise DsirError(f"The device {name!r} is not available here; use 'auto' or 'cpu'.")
    return name


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
