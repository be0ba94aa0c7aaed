"""Pairs that clinics have and that may go wrong unseen: periodic spines, sliding lungs, streaks, noise, likely people.

None of the verdict's limits was set on them. Some are registered rightly all the same: the truth says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from dsir.files.images import read_image, read_labels
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur, sample
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField, moved_index
from dsir.transforms.linear import Linear
from verdict_pairs import Case, body, known
from verdict_truth import CLOSE, Truth

SPINES = {"neck_024": 17.0, "neck_155": 17.0, "neck_230": 17.0, "s3_abdomen_ct": 34.0}
"""mm from one vertebra to the next, about: of necks, of a loin."""

SCANS = ("neck_060", "neck_155", "s3_abdomen_ct", "s6_heart_cta", "p1_stroke_t1", "s14_brain_t1")
ALIKE = (("neck_024", "neck_096"), ("neck_060", "neck_112"), ("neck_155", "neck_233"), ("s11_brain_t1", "s14_brain_t1"))

SLID = (8.0, 16.0)
"""mm that a lung slides by at its base; nothing at its top, and the wall stays."""

TRACES = 9
"""Streaks through a piece of metal."""


def unlucky(data: Path) -> Iterator[Case]:
    """Each a known deformation, spoiled in one way that leaves its truth known; then two persons of one size."""
    for seed, (name, apart) in enumerate(SPINES.items(), start=700):
        pair = known(name, body(data, name), None, 2 * seed)
        for mm in (-apart, apart):
            yield replace(pair, name=f"{pair.name}, {mm:+.0f} mm along the spine", kind="spine", start=along(mm))
    changes: dict[str, Callable[[Image, int], Image]] = {
        "inverted": inverted, "noisy": noisy, "blurred": blurred, "half_across": half_across, "streaks": streaks,
    }  # fmt: skip
    for seed, name in enumerate(SCANS, start=750):
        pair = known(name, body(data, name), None, 2 * seed)
        for kind, change in changes.items():
            yield replace(pair, name=f"{pair.name}, {kind}", kind=kind, moving=change(pair.moving, seed))
    for mm in SLID:
        yield sliding(data, mm)
    for one, other in ALIKE:
        fixed, moving = body(data, one), body(data, other)
        yield Case(f"{one} and {other}, as large", "as_large", fixed, as_large(moving, fixed), same_person=True)


def along(mm: float) -> Transform:
    """A start that is wrong towards the head."""
    matrix = np.eye(4)
    matrix[2, 3] = mm
    return Transform((Linear(matrix),))


def inverted(image: Image, _seed: int) -> Image:
    """Bright is dark within the body; air stays."""
    inside, values = body_mask(image), image.data.clamp(-200, 400) if float(image.data.min()) < -200 else image.data
    return Image(torch.where(inside, values[inside].max() - values + 1, values.min()), image.lattice)


def noisy(image: Image, seed: int) -> Image:
    """Noise as large as the body's own contrast."""
    values = image.data.clamp(-200, 400) if float(image.data.min()) < -200 else image.data
    grain = torch.randn(values.shape, generator=torch.Generator().manual_seed(seed))
    return Image(values + 1.5 * values[body_mask(image)].std() * grain, image.lattice)


def blurred(image: Image, _seed: int) -> Image:
    """As by a Gaussian of 6 mm."""
    return Image(gaussian_blur(image.data[None], (6.0 / image.lattice.spacing).tolist())[0], image.lattice)


def half_across(image: Image, _seed: int) -> Image:
    """The right half of the field of view."""
    shape = (image.lattice.shape[0] // 2, *image.lattice.shape[1:])
    return Image(image.data[: shape[0]].clone(), image.lattice.window(np.zeros(3, dtype=int), shape))


def streaks(image: Image, seed: int) -> Image:
    """Dark and bright bands in plane from two points of the body, over a third of its height."""
    rng, data = np.random.default_rng(seed), image.data.clone()
    inside = body_mask(image)
    high = float(data[inside].std())
    rows, columns = (torch.arange(n).float() for n in data.shape[:2])
    planes = slice(data.shape[2] // 3, 2 * data.shape[2] // 3)
    for _ in range(2):
        at = [data.shape[axis] * rng.uniform(0.4, 0.6) for axis in (0, 1)]
        angle = torch.atan2(columns[None, :] - at[1], rows[:, None] - at[0])
        data[:, :, planes] += 3 * high * torch.sin(TRACES * angle + rng.uniform(0, 6))[:, :, None]
    return Image(data, image.lattice)


def as_large(image: Image, target: Image) -> Image:
    """Another person, whose body is made as large and laid upon the target's."""
    volume, wanted = (float(body_mask(one).sum() * one.lattice.spacing.prod()) for one in (image, target))
    matrix = (wanted / volume) ** (1 / 3) * np.eye(4)
    matrix[:3, 3], matrix[3, 3] = target.lattice.centre - matrix[:3, :3] @ image.lattice.centre, 1.0
    return Image(image.data, Lattice(image.lattice.shape, matrix @ image.lattice.affine))


def sliding(data: Path, mm: float) -> Case:
    """A lung that slides along its wall; judged within the lung."""
    image = read_image(data / "cases" / "lung_ct" / "fixed.nii.gz")
    lung = read_labels(data / "cases" / "lung_ct" / "fixed_seg.nii.gz")[0] > 0
    height = torch.linspace(1, 0, image.lattice.shape[2]).expand(image.lattice.shape)
    down = -mm * torch.where(lung, height, 0.0)
    field = DisplacementField(torch.stack([0 * down, 0 * down, down]), image.lattice)
    air = float(image.data.min())
    fixed = Image(sample((image.data - air)[None], moved_index(field, image.lattice))[0] + air, image.lattice)
    index = torch.nonzero(lung).numpy()
    index = index[np.random.default_rng(0).permutation(len(index))[:5000]]
    points, there = image.lattice.to_world(index), field.vectors.numpy()[:, index[:, 0], index[:, 1], index[:, 2]].T

    def judged(found: Transform) -> Truth:
        apart = np.linalg.norm(found.transform_points(points) - points - there, axis=1)
        text = f"lung {apart.mean():.1f} mm, 95 % {np.percentile(apart, 95):.1f}"
        return Truth(text, bool(apart.mean() <= CLOSE))

    return Case(f"lung_ct, slides by {mm:.0f} mm", "sliding", fixed, image, truth=judged)
