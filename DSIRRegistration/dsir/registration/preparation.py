"""What a registration works with, made of what it was given: masks, descriptor, device, voxel size."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import DsirError
from ..features.blend import Blend
from ..features.descriptor import Descriptor, load_descriptor
from ..features.mind import Mind
from ..geometry.body_mask import Body, find_body
from ..geometry.image import Image
from .settings import RegistrationSettings
from .working_grid import working_lattice

MARGIN = 16.0
"""mm around the fixed body that are registered with it."""


def working_spacing(fixed: Image, moving: Image, mask: torch.Tensor, settings: RegistrationSettings) -> float:
    """mm of the working lattice: as asked, but neither much finer than both images nor larger than may be."""
    spacing = finest_spacing(fixed, moving, settings)
    while np.prod(working_lattice(fixed, mask, spacing=spacing, margin=MARGIN).shape) > settings.voxels:
        spacing *= 1.05
    return float(spacing)


def finest_spacing(fixed: Image, moving: Image, settings: RegistrationSettings) -> float:
    """mm as asked, but no less than half the voxel size of the finer image.

    Between voxels there is nothing new to see, yet descriptors of a finer lattice place better (measured, 2 mm in the
    place of the images' own: torso of 3.2 mm 1.65 to 1.34 mm, head T1 of 2.4 mm 2.16 to 2.04; blurred averages of CT
    5.0 to 5.3).
    """
    native = min(float(np.prod(image.lattice.spacing) ** (1 / 3)) for image in (fixed, moving))
    return max(settings.spacing, native / 2)


UNSURE = (
    "The body in the {name} scan could not be told from its background ({doubt}), so its whole field of view is "
    "registered; a mask of it says where to look."
)

UNEVEN = (
    "The bodies found in the two scans differ much in size ({fixed:.1f} and {moving:.1f} litres, in fields of view of "
    "nearly the same): look at the regions in the report; masks of both say where to look."
)

ALIKE, DIFFERENT = 1.5, 2.5
"""Ratio of the fields of view below which, and of the bodies in them above which, the masks are said to differ."""


def uneven_masks(fixed: Image, moving: Image, masks: tuple[torch.Tensor, torch.Tensor]) -> str:
    """A sentence where the two bodies differ as one person's cannot; else empty."""
    views = [float(np.prod(image.lattice.extent)) for image in (fixed, moving)]
    bodies = [view * float(mask.float().mean()) / 1e6 for view, mask in zip(views, masks, strict=True)]
    if max(views) > ALIKE * min(views) or max(bodies) < DIFFERENT * min(bodies):
        return ""
    return UNEVEN.format(fixed=bodies[0], moving=bodies[1])


def given_or_found(image: Image, mask: torch.Tensor | None, name: str) -> Body:
    """The mask that was given, (I, J, K) bool on the image's own grid, or the body.

    Raises:
        DsirError: the mask is empty or lies on another grid; ``name`` says of which image.
    """
    if mask is None:
        return find_body(image)
    if tuple(mask.shape) != image.lattice.shape:
        raise DsirError(
            f"The {name} mask has the shape {tuple(mask.shape)}, the {name} image {image.lattice.shape}: "
            "they must lie on one grid."
        )
    if not bool(mask.any()):
        raise DsirError(f"The {name} mask is empty.")
    return Body(mask.bool())


def chosen_descriptor(settings: RegistrationSettings) -> Descriptor:
    """The descriptor by name, a learned one with its share of detail channels.

    Raises:
        DsirError: there is none of that name.
    """
    descriptor = load_descriptor(settings.descriptor, device_named(settings.device))
    learned = descriptor.spacing is not None
    return Blend(descriptor, Mind(), settings.detail) if learned and settings.detail > 0 else descriptor


def device_named(name: str | None) -> str:
    """The device of that name; ``"auto"`` and None: CUDA where there is one, else the processor.

    MPS is taken only where it is named: what it rounds otherwise has not been measured here.

    Raises:
        DsirError: this machine has no such device.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name is None or name == "auto":
        return "cuda" if present["cuda"] else "cpu"
    if not present.get(name, False):
        raise DsirError(f"This machine has no {name} device that PyTorch can use; use --device cpu.")
    return name
