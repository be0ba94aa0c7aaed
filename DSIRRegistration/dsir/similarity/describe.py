"""From an image to its feature store, once; the only room of the similarity that needs torch."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from scipy import ndimage

from ..errors import DsirError
from ..features.descriptor import Descriptor
from ..features.extraction import describe
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..geometry.lattice import Lattice, as_shape
from ..geometry.occupied import occupied_box
from ..geometry.sampling import resample
from ..progress import Progress, silent, within
from .store import FeatureStore, pack

SPACING = 2.0
"""mm, for descriptors that are at home at any spacing."""

RIM = 2
"""Voxels around the body that are described too: the skin is a structure worth finding."""


def describe_image(
    image: Image,
    descriptor: Descriptor,
    *,
    mask: torch.Tensor | None = None,
    spacing: float | None = None,
    progress: Progress = silent,
) -> FeatureStore:
    """Describe every voxel of the body.

    Descriptors compare neighbours along the axes of their lattice, so two images can only be compared when these are
    parallel in the patient. The lattice therefore runs along the patient's axes, whatever the scan's orientation.

    Args:
        mask: (I, J, K) bool on the image's lattice; the body is found when it is not given.
        spacing: mm; what the descriptor is for by default.

    Raises:
        DsirError: the mask is empty, or the network yields numbers that are not finite.
    """
    progress("features", 0.0, f"{descriptor.name}: finding the body")
    mask = body_mask(image) if mask is None else mask
    if not bool(mask.any()):
        raise DsirError("The mask is empty, so there is nothing to describe.")
    spacing = spacing or descriptor.spacing or SPACING
    lattice = described_lattice(image.lattice, mask, spacing)
    progress("features", 0.1, f"{descriptor.name}: {' x '.join(map(str, lattice.shape))} voxels of {spacing:g} mm")
    values = image.on(lattice).data
    body = resample(mask.float(), image.lattice, lattice, padding="zeros").numpy() > 0.5
    inside = torch.from_numpy(ndimage.binary_dilation(body, iterations=RIM))
    seen = resample(torch.ones_like(image.data), image.lattice, lattice, padding="zeros", antialias=False) > 0.25
    normalised = descriptor.normalise(values, inside)
    features = describe(descriptor, normalised, progress=within(progress, 0.1, 1.0))
    if not bool(torch.isfinite(features).all()):
        raise DsirError(f"The descriptor '{descriptor.name}' yields numbers that are not finite on this image.")
    return FeatureStore(
        pack(features.numpy(), (inside & seen).numpy()), lattice, descriptor.identity, fingerprint(image)
    )


def described_lattice(source: Lattice, mask: torch.Tensor, spacing: float) -> Lattice:
    """Isotropic, along the patient's axes, around the mask and its rim; it begins whole voxels from the source's."""
    start, shape = occupied_box(mask, np.zeros(3), source.shape)
    corners = source.window(start, shape).corners()
    start = np.floor((corners.min(0) - source.origin) / spacing).astype(int) - RIM
    stop = np.ceil((corners.max(0) - source.origin) / spacing).astype(int) + RIM + 1
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = source.origin + start * spacing
    return Lattice(as_shape(stop - start), affine)


def fingerprint(image: Image) -> str:
    """A hash of the voxels and where they lie."""
    digest = hashlib.blake2b(image.lattice.affine.tobytes(), digest_size=16)
    digest.update(np.ascontiguousarray(image.data.cpu().numpy()).data)
    return digest.hexdigest()
