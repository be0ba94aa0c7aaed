"""The result folder: what a registration leaves for the next program and for the next reader."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import preview
from ..files.displacements import write_displacement_nifti
from ..files.images import write_image, write_labels
from ..files.inputs import sparing
from ..files.output_folder import OutputFolder
from ..files.report import run_report, write_report
from ..files.transforms import write_matrix, write_transform
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..messages import Message, as_data
from ..preview.views import Views
from ..progress import Progress, silent, within
from ..registration.register import RegistrationResult
from ..reports.registration.page import write_page
from ..transforms.composite import Transform, linear_matrix
from ..transforms.field import DisplacementField
from ..transforms.inversion import invert_field
from ..transforms.jacobian import determinant, fold_report
from ..transforms.linear import Linear
from ..warp.images import warp_image
from ..warp.labels import WarpedLabels, warp_labels

PROBES = 20_000
"""Points at which the inverse is measured."""

TOLERANCE = 0.1
"""mm by which the inverse may miss at 95 % of the points before it is put on a finer lattice; less for small animals,
a twentieth of the field's voxels."""

MOST_VOXELS = 6_000_000
"""Of the inverse field (144 MB as ITK writes it)."""


def write_result(
    out: str | Path,
    fixed: Image,
    moving: Image,
    result: RegistrationResult,
    *,
    initial: Transform | None = None,
    moving_labels: tuple[torch.Tensor, Lattice] | None = None,
    suv_factor: float | None = None,
    inputs: Mapping[str, str | Path | None] | None = None,
    brief: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write ``displacement.nii.gz``, ``transform.h5``, ``inverse.h5``, ``warped.nii.gz``, ``warped_labels.nii.gz``,
    ``jacobian.nii.gz`` (determinant of x -> x + u(x)), ``report.json``, ``report.html`` and ``preview.png``; all of
    them, or none.

    A result without a deformation is a linear transform in every file: in the place of ``displacement.nii.gz`` there
    are ``transform.tfm`` (ITK's text) and ``matrix.txt`` (4 x 4, fixed to moving, RAS mm).

    Args:
        initial: what the user gave as a start; the preview shows the moving image through it.
        moving_labels: (I, J, K) label map and its lattice.
        suv_factor: of a moving PET (:mod:`dsir.dicom.suv`); ``warped_suv.nii.gz`` is the warped scan in SUV then.
        inputs: role to file, for the report; none of them is replaced.
        brief: leave out the dense field, its Jacobian, the inverse, picture and page: somebody waits for the rest.

    Returns:
        the report, as it was written.

    Raises:
        DsirError: the folder exists and ``overwrite`` is not given, cannot be written, or the disk is full.
    """
    began = time.perf_counter()
    warnings = list(result.report.get("warnings", ()))
    read = [Path(path) for path in (inputs or {}).values() if path is not None]
    with sparing(read), OutputFolder(out, overwrite=overwrite) as folder:
        progress("writing", 0.0, "the transform")
        write_transform(folder.path / "transform.h5", result.transform)
        matrix = linear_matrix(result.transform)
        if matrix is not None:
            write_transform(folder.path / "transform.tfm", Transform((Linear(matrix),)))
            write_matrix(folder.path / "matrix.txt", matrix)
        progress("writing", 0.1, "the warped image")
        warped = warp_image(moving, result.transform, fixed.lattice)
        write_image(folder.path / "warped.nii.gz", warped)
        if suv_factor is not None:
            write_image(folder.path / "warped_suv.nii.gz", Image(warped.data * suv_factor, warped.lattice))
        if moving_labels is not None:
            progress("writing", 0.25, "the warped labels")
            carried = warp_labels(*moving_labels, result.transform, fixed.lattice)
            write_labels(folder.path / "warped_labels.nii.gz", carried.labels, fixed.lattice)
            warnings += label_warnings(carried)
        facts, views = dict(result.report), None
        if not brief:
            rest = within(progress, 0.3, 0.95)
            facts, views = _write_rest(folder.path, fixed, moving, result, facts, initial, rest)
        progress("writing", 0.95, "the report")
        seconds = dict(facts.get("seconds", {}))
        seconds["writing"] = time.perf_counter() - began
        seconds["total"] = sum(value for name, value in seconds.items() if name != "total")
        facts |= {"seconds": seconds, "warnings": warnings, "messages": as_data(warnings)}
        report = run_report("register", inputs=inputs or {}, settings=result.settings.to_json(), facts=facts)
        write_report(folder.path / "report.json", report)
        if views is not None:
            write_page(folder.path / "report.html", report, views)
    progress("writing", 1.0, "done")
    return report


def _write_rest(
    folder: Path,
    fixed: Image,
    moving: Image,
    result: RegistrationResult,
    facts: dict[str, Any],
    initial: Transform | None,
    progress: Progress,
) -> tuple[dict[str, Any], Views]:
    """What takes longer: the dense field, its Jacobian, the inverse, the picture; gives what it found and saw."""
    transform = result.transform
    progress("writing", 0.0, "the displacement field")
    displacement = transform.displacement(fixed.lattice)
    if linear_matrix(transform) is None:
        write_displacement_nifti(folder / "displacement.nii.gz", displacement)
    jacobian = determinant(displacement)
    write_image(folder / "jacobian.nii.gz", Image(jacobian, fixed.lattice))
    progress("writing", 0.4, "the inverse")
    inverse, missed = accurate_inverse(transform, fixed.lattice, moving.lattice)
    write_transform(folder / "inverse.h5", inverse)
    body, moving_body = result.masks or (None, None)
    views = preview.views_of(fixed, moving, displacement, start=initial, body=body, moving_body=moving_body)
    facts = {
        **({} if "folds" in facts else _regularity(displacement)),
        **facts,
        "inverse_error": missed,
        **sizes(displacement, jacobian, views.body),
    }
    progress("writing", 0.7, "the pictures")
    preview.write(preview.draw(views, preview_facts(facts)), folder / "preview.png")
    return facts, views


def sizes(displacement: DisplacementField, jacobian: torch.Tensor, body: torch.Tensor) -> dict[str, Any]:
    """``displacement_mm`` (mean, p95, max) and ``jacobian`` within the fixed body.

    Of the determinant: p1, p99, smallest, largest, and where these two are (RAS mm).
    """
    body = body if bool(body.any()) else torch.ones_like(body)
    length, volume = displacement.vectors.norm(dim=0)[body].numpy(), jacobian[body].numpy()
    low, high = np.percentile(volume, (1, 99))

    def place(chosen: torch.Tensor) -> list[float]:
        voxel = np.unravel_index(int(chosen), tuple(body.shape))
        return [round(float(x), 1) for x in displacement.lattice.to_world(np.array(voxel, dtype=float))]

    return {
        "displacement_mm": {
            "mean": float(length.mean()),
            "p95": float(np.percentile(length, 95)),
            "max": float(length.max()),
        },
        "jacobian": {
            "p1": float(low),
            "p99": float(high),
            "smallest": float(volume.min()),
            "largest": float(volume.max()),
            "smallest_at": place(jacobian.masked_fill(~body, torch.inf).argmin()),
            "largest_at": place(jacobian.masked_fill(~body, -torch.inf).argmax()),
        },
    }


def accurate_inverse(transform: Transform, fixed: Lattice, moving: Lattice) -> tuple[Transform, dict[str, float]]:
    """The inverse as a transform of its own, and what it misses (:func:`round_trip_error`).

    An inverse field bends more sharply than its forward one where that compresses, so on the same lattice it may miss.
    The error of a trilinear field falls with the square of its spacing (measured: 0.35 mm at 6 mm, 0.11 mm at 3 mm), so
    one finer lattice, chosen by that rule within ``MOST_VOXELS``, is enough.
    """
    inverse = transform.inverse(moving)
    missed = round_trip_error(transform, inverse, fixed, moving)
    field = inverse.parts[-1] if inverse.parts else None
    if not isinstance(field, DisplacementField):
        return inverse, missed
    tolerance = min(TOLERANCE, 0.05 * float(field.lattice.spacing.min()))
    finer = min((missed["p95"] / (0.8 * tolerance)) ** 0.5, (MOST_VOXELS / field.vectors[0].numel()) ** (1 / 3))
    if missed["p95"] <= tolerance or finer < 1.1:
        return inverse, missed
    last = max(n for n, part in enumerate(transform.parts) if isinstance(part, DisplacementField))
    head = Transform(transform.parts[: last + 1])
    sharp = invert_field(head.as_one_field(), field.lattice.with_spacing(field.lattice.spacing / finer))
    inverse = Transform((*inverse.parts[:-1], sharp))
    return inverse, round_trip_error(transform, inverse, fixed, moving)


def round_trip_error(forward: Transform, inverse: Transform, fixed: Lattice, moving: Lattice) -> dict[str, float]:
    """How far there and back misses, in mm, for fixed points that lie in the moving image's field of view.

    Returns:
        ``mean``, ``p95``, ``max``; zeros where no point lies in it.
    """
    draw = np.random.default_rng(0)
    points = fixed.to_world(draw.uniform(0, 1, (PROBES, 3)) * (np.array(fixed.shape) - 1))
    there = forward.transform_points(points)
    seen = moving.contains(there)
    if not seen.any():
        return {"mean": 0.0, "p95": 0.0, "max": 0.0}
    missed = np.linalg.norm(inverse.transform_points(there[seen]) - points[seen], axis=1)
    return {"mean": float(missed.mean()), "p95": float(np.quantile(missed, 0.95)), "max": float(missed.max())}


def preview_facts(report: Mapping[str, Any]) -> tuple[str, ...]:
    """The few figures that fit on the picture."""
    found = []
    similarity = report.get("similarity") or {}
    if similarity.get("start") is not None and similarity.get("end") is not None:
        found.append(f"similarity {similarity['start']:.2f} → {similarity['end']:.2f}")
    if report.get("folds") is not None:
        found.append("no folds" if report["folds"] == 0 else f"{report['folds']} folds")
    if report.get("sd_log_j") is not None:
        found.append(f"unevenness {report['sd_log_j']:.2f}")
    if report.get("inverse_error"):
        found.append(f"inverse within {report['inverse_error']['p95']:.2f} mm")
    return tuple(found)


def label_warnings(carried: WarpedLabels) -> list[str]:
    """What a reader must know of labels that did not come through whole, one sentence each."""
    found: list[str] = []
    if carried.outside:
        found.append(Message("labels_outside", labels=list(carried.outside)))
    if carried.rescued:
        found.append(Message("labels_one_voxel", labels=list(carried.rescued)))
    return found


def _regularity(displacement: DisplacementField) -> dict[str, Any]:
    measured = fold_report(displacement)
    return {"folds": measured.folds, "sd_log_j": measured.sd_log_j, "smallest_jacobian": measured.smallest}
