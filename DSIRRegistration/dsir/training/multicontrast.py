"""Scans of one person in several contrasts, brought onto each other first.

"Aligned" scans of public sets lie 0.3 to 1.6 mm apart (measured by mutual information, METHOD.md). A network that
learns placing from them as they are would learn that offset, so every scan is registered rigidly to the first of its
person by mutual information (SimpleITK) and resampled once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from ..files.itk import to_sitk
from .volumes import Source, body_of, files_in, on_isotropic, read_scan

FARTHEST = 4.0
"""mm; a correction that moves the scan's middle further is not believed, and the scan is left out."""


def load_contrasts(
    data: Path, spacing: float, progress: Callable[[str], None] = lambda name: None
) -> list[tuple[Source, ...]]:
    """For each person with several scans (file names ``person_part_contrast``): their sources on one lattice."""
    people: dict[str, list[Path]] = defaultdict(list)
    for path in files_in(data):
        parts = path.name.split(".nii")[0].split("_")
        if len(parts) >= 3 and not parts[2].isdigit() and parts[0].startswith("p"):
            people["_".join(parts[:2])].append(path)
    found = []
    for person, paths in sorted(people.items()):
        if len(paths) < 2:
            continue
        progress(person)
        reference = read_scan(paths[0])
        lattice = reference.lattice.with_spacing(max(spacing, float(reference.lattice.spacing.min())))
        own = float(lattice.spacing[0])
        volumes = [on_isotropic(reference, own)]
        fixed = sitk.Cast(sitk.ReadImage(str(paths[0])), sitk.sitkFloat32)
        grid = to_sitk(np.zeros(lattice.shape, dtype=np.uint8), lattice)
        names = [paths[0]]
        for path in paths[1:]:
            moving = sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkFloat32)
            transform = rigid_by_information(fixed, moving)
            if transform is None:
                continue
            moved = sitk.GetArrayFromImage(sitk.Resample(moving, grid, transform, sitk.sitkLinear, 0.0))
            volumes.append(torch.from_numpy(moved).permute(2, 1, 0).contiguous())
            names.append(path)
        if len(volumes) < 2:
            continue
        body = torch.stack([body_of(v) for v in volumes]).all(0)
        found.append(
            tuple(
                Source(
                    path.name.split(".nii")[0],
                    "scan",
                    v.round().clamp(-32768, 32767).to(torch.int16),
                    body,
                    own,
                    f"contrasts {person}",
                )
                for path, v in zip(names, volumes, strict=True)
            )
        )
    return found


def rigid_by_information(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform | None:
    """Fixed to moving by Mattes' mutual information; None where it moves the middle too far to be believed."""
    middle = [fixed.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in fixed.GetSize()])]
    start = sitk.Euler3DTransform()
    start.SetCenter(middle[0])
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.15, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(0.5, 1e-3, 80)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1.0, 0.0])
    method.SetInitialTransform(start, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        return None
    there = start.TransformPoint(middle[0])
    moved = sum((a - b) ** 2 for a, b in zip(there, middle[0], strict=True)) ** 0.5
    return start if moved <= FARTHEST else None
