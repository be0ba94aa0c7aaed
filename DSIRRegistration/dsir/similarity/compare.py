"""One voxel, several images, several descriptors: what each of them finds (the content of the paper's Figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import DsirError
from ..features.descriptor import Descriptor
from ..features.normalise import normalise
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..geometry.sampling import gaussian_blur
from ..progress import Progress, silent, within
from .describe import describe_image
from .peaks import highest
from .query import APART, NEAR, Answer, query
from .random_contrast import random_contrast

COUNTED = 50
"""Rivals are counted up to here."""


@dataclass(frozen=True, eq=False)
class Partner:
    """An image to look in.

    Attributes:
        name: for the figure.
        image: may be the marked image itself.
        place: (3,) RAS mm in it where the marked voxel truly lies; None where nobody knows.
        body: (I, J, K) bool on its lattice; found when it is None.
    """

    name: str
    image: Image
    place: np.ndarray | None
    body: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Finding:
    """What one descriptor found in one image.

    Attributes:
        distance: mm from the best match to the true place; None where that is unknown.
        rivals: hills elsewhere that are at least as high as the one at the true place (or, where that is unknown, at
            most 0.05 lower than the best match); 50 stands for 50 and more.
    """

    descriptor: str
    answer: Answer
    distance: float | None
    rivals: int


def compare(
    image: Image,
    point: np.ndarray,
    partners: Sequence[Partner],
    descriptors: Sequence[Descriptor],
    *,
    spacing: float | None = None,
    alone: bool = True,
    progress: Progress = silent,
) -> list[list[Finding]]:
    """Look for the voxel at ``point`` (3,) RAS mm in every partner with every descriptor; rows are partners.

    Args:
        spacing: mm of all descriptors; the one made for a spacing decides by default, so that all see alike.
        alone: ask by the voxel's own vector, as the paper does; else with its surroundings.

    Raises:
        DsirError: the point lies outside the body.
    """
    if not image.lattice.contains(point):
        raise DsirError("The point ({:.1f}, {:.1f}, {:.1f}) mm (RAS) lies outside the image.".format(*point))
    spacing = spacing or min((d.spacing for d in descriptors if d.spacing), default=None)
    body = body_mask(image)
    found: list[list[Finding]] = [[] for _ in partners]
    steps, step = len(descriptors) * (1 + len(partners)), 0
    for descriptor in descriptors:
        marked = describe_image(
            image, descriptor, mask=body, spacing=spacing, progress=within(progress, step / steps, (step + 1) / steps)
        )
        step += 1
        for row, partner in zip(found, partners, strict=True):
            part = within(progress, step / steps, (step + 1) / steps)
            store = describe_image(partner.image, descriptor, mask=partner.body, spacing=spacing, progress=part)
            answer = query(marked, point, store, around=partner.place, alone=alone)
            row.append(finding(descriptor.name, answer, partner.place))
            step += 1
    return found


def finding(name: str, answer: Answer, place: np.ndarray | None) -> Finding:
    """What one answer says of a voxel whose true place is known, or is not."""
    hills = highest(answer.similarity, answer.lattice, COUNTED + 1, apart=APART)
    if place is None:
        rivals = sum(hill.similarity >= answer.best.similarity - 0.05 for hill in hills[1:])
        return Finding(name, answer, None, min(int(rivals), COUNTED))
    there = _highest_near(answer, place)
    far = [np.linalg.norm(hill.point - place) > NEAR + answer.lattice.spacing[0] / 2 for hill in hills]
    rivals = sum(hill.similarity >= there and away for hill, away in zip(hills, far, strict=True))
    return Finding(name, answer, float(np.linalg.norm(answer.best.point - place)), min(int(rivals), COUNTED))


def _highest_near(answer: Answer, place: np.ndarray) -> float:
    """The greatest similarity within :data:`NEAR` of a place."""
    reach = np.ceil(NEAR / answer.lattice.spacing).astype(int)
    centre = np.rint(answer.lattice.to_index(place)).astype(int)
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, answer.lattice.shape)
    if (high <= low).any():
        return -1.0
    index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    near = np.linalg.norm(answer.lattice.to_world(index) - place, axis=-1) <= NEAR
    return float(answer.similarity[tuple(np.moveaxis(index, -1, 0))][near].max(initial=-1.0))


def augmented(image: Image, point: np.ndarray, *, seed: int = 0) -> list[Partner]:
    """The image itself and three others of the same anatomy that no scanner made: a curve, its negative, and a random
    non-monotone contrast with uneven brightness and noise."""
    body = body_mask(image)
    share = normalise(image.data, body).clamp(0, 1)
    noise = torch.Generator().manual_seed(seed)
    grain = gaussian_blur(torch.randn(1, *share.shape, generator=noise), 0.7)[0]
    negative = ((1 - share) + 0.05 * grain) * body
    bright = Image(share.sqrt(), image.lattice)
    other = random_contrast(image, body, seed=seed)
    return [
        Partner("marked image", image, point, body),
        Partner("brighter", bright, point, body),
        Partner("inverted, noisy", Image(negative, image.lattice), point, body),
        Partner("random contrast", other, point, body),
    ]
