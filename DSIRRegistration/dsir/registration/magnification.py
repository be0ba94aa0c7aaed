"""Small animals and specimens: registered as if they were as large as people.

Every length of the settings, of the descriptors and of the smoothing is meant for a body of people's size. A mouse that
is shown ten times as large has voxels, organs and distances between them as people have, so one change of the unit at
the door does for all of them; the result is brought back by the same factor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.occupied import occupied_box
from ..messages import Message
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .findings import findings_of, verdict_of
from .landmark_forces import Pairs
from .reasons import in_true_lengths

SMALL, LARGE = 80.0, 2500.0
"""mm; a body whose longest side lies between these is people's size (or a part of them): nothing is changed."""

USUAL = 160.0
"""mm; the longest side a smaller or larger body is given: a head's, which most was measured on."""


def magnification(fixed: Image, mask: torch.Tensor | None) -> float:
    """By how much to enlarge both scans; 1 for people.

    Args:
        mask: (I, J, K) bool, the body; it is looked for where there is none and the whole scan is small.
    """
    view = float(fixed.lattice.extent.max())
    if mask is None:
        if SMALL <= view <= LARGE:
            return 1.0
        mask = body_mask(enlarged(fixed, USUAL / view))  # whose own lengths are people's, too
    if not bool(mask.any()):
        return 1.0
    _, shape = occupied_box(mask, np.zeros(3), fixed.lattice.shape)
    extent = float((np.array(shape) * fixed.lattice.spacing).max())
    return 1.0 if SMALL <= extent <= LARGE else USUAL / extent


def enlarged(image: Image, factor: float) -> Image:
    """The same voxels, ``factor`` times as large, about the world's origin."""
    return Image(image.data, enlarged_lattice(image.lattice, factor))


def enlarged_lattice(lattice: Lattice, factor: float) -> Lattice:
    """The same for their places."""
    affine = lattice.affine.copy()
    affine[:3] *= factor
    return Lattice(lattice.shape, affine)


def enlarged_transform(transform: Transform, factor: float) -> Transform:
    """The mapping between enlarged scans."""

    def part_of(part: Linear | DisplacementField) -> Linear | DisplacementField:
        if isinstance(part, Linear):
            matrix = part.matrix.copy()
            matrix[:3, 3] *= factor
            return Linear(matrix)
        return DisplacementField(part.vectors * factor, enlarged_lattice(part.lattice, factor))

    return Transform(tuple(part_of(part) for part in transform.parts))


def enlarged_pairs(pairs: Pairs, factor: float) -> Pairs:
    """Pairs of points in enlarged scans."""
    return replace(
        cast(Any, pairs), fixed=factor * pairs.fixed, moving=factor * pairs.moving, tolerance=factor * pairs.tolerance
    )


def brought_back(report: dict[str, Any], factor: float) -> dict[str, Any]:
    """A report in the true lengths."""
    linear = dict(report["linear"], shift_mm=report["linear"]["shift_mm"] / factor)
    linear["matrix"] = [[*row[:3], row[3] / factor] for row in linear["matrix"][:3]] + [linear["matrix"][3]]
    linear["candidates"] = [dict(one, moved=one["moved"] / factor) for one in linear["candidates"]]
    lattice = dict(report["lattice"], spacing_mm=report["lattice"]["spacing_mm"] / factor)
    deformation = dict(report["deformation"])
    if "shift_mm" in deformation:
        deformation["shift_mm"] /= factor
    if "refused_mm" in deformation:
        deformation["refused_mm"] = {name: mm / factor for name, mm in deformation["refused_mm"].items()}
    told = (
        f"What the scan shows is {'smaller' if factor > 1 else 'larger'} than a person: it was registered as if "
        f"{_times(factor)}, so all lengths of the settings count as much {'less' if factor > 1 else 'more'}."
    )
    return {
        **report,
        "linear": linear,
        "deformation": deformation,
        "lattice": lattice,
        "landmarks": _shrunk(report["landmarks"], factor),
        "verdict": verdict_of([in_true_lengths(found, factor) for found in findings_of(report)]),
        "magnification": factor,
        "warnings": [told, *(_true(said, factor) for said in report["warnings"])],
    }


def _true(said: str, factor: float) -> str:
    """A warning whose millimetres are the true ones."""
    if not isinstance(said, Message):
        return said
    lengths = {name: mm / factor for name, mm in said.values.items() if name == "mm" or name.endswith("_mm")}
    return Message(said.code, **{**said.values, **lengths})


def _times(factor: float) -> str:
    return f"{factor:.3g} times as large" if factor > 1 else f"{1 / factor:.3g} times as small"


def _shrunk(landmarks: dict[str, Any] | None, factor: float) -> dict[str, Any] | None:
    if landmarks is None:
        return None

    def inner(values: dict[str, float], names: Iterable[str]) -> dict[str, float]:
        return {**values, **{name: values[name] / factor for name in names}}

    sides = {side: inner(landmarks[side], ("mean_mm", "largest_mm")) for side in ("before", "after")}
    return {**landmarks, **sides}
