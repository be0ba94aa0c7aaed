"""How much memory a registration takes, told before it begins, and how it is kept under a limit.

Three things can give way, in this order: the pieces in which volumes are described, the cost volume of the discrete
search, and the working lattice. The images themselves and the field on the fixed grid cannot. The bytes below
are rounded up from what the arrays take; the estimates lie above every peak that ``Testing/benchmarks/size.py``
measured (Docs/measurements/speed.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import DsirError
from ..features.blend import Blend
from ..features.descriptor import Descriptor
from ..features.extraction import WHOLE, thinned_network
from ..geometry.lattice import Lattice
from ..messages import Message
from .leading_directions import DIRECTIONS
from .settings import RegistrationSettings
from .working_grid import PIECE

MIB = 2**20

PROGRAM = 480
"""MiB of the program and its libraries before it has read anything."""

FEWEST = 300_000
"""Working voxels below which a registration is not worth having."""

SMALL_PIECE = 500_000
"""Voxels described in one go, at the least: smaller pieces are mostly margin."""

NETWORK = 24
"""Floats for each voxel that the network's largest layers take (measured: 20, the vectors themselves not counted)."""

PLACED = 28
"""Channels of the levels that place, which are there beside the others (:mod:`.placing`)."""

COST_VOLUME = 64
"""MiB to which the cost volume of the discrete search may be cut."""


@dataclass(frozen=True)
class Plan:
    """What fits.

    Attributes:
        settings: with a working lattice and a cost volume that fit.
        piece: voxels described in one go.
        mib: the estimate of the largest resident size, program included.
        warnings: one sentence where the limit made the working lattice coarser.
    """

    settings: RegistrationSettings
    piece: int
    mib: float
    warnings: tuple[str, ...] = ()


def planned(
    fixed: Lattice, moving: Lattice, body: Lattice, descriptor: Descriptor, settings: RegistrationSettings
) -> Plan:
    """Settings that stay below ``settings.memory`` (MiB; 0: no limit).

    Args:
        fixed, moving: of the images.
        body: of the box to be registered, at the spacing asked for.

    Raises:
        DsirError: no working lattice is small enough.
    """
    wanted = min(int(np.prod(body.shape)), settings.voxels)
    plan = _plan(fixed, moving, descriptor, settings, PIECE, wanted)
    if not settings.memory or plan.mib <= settings.memory:
        return plan
    for piece in (PIECE // 2, PIECE // 4, SMALL_PIECE):
        plan = _plan(fixed, moving, descriptor, settings, piece, wanted)
        if plan.mib <= settings.memory:
            return plan
    cut = replace(settings, discrete=replace(settings.discrete, memory=min(COST_VOLUME, settings.discrete.memory)))
    voxels = wanted
    while (plan := _plan(fixed, moving, descriptor, cut, SMALL_PIECE, voxels)).mib > settings.memory:
        if voxels <= min(FEWEST, wanted):
            raise DsirError(
                f"This pair needs about {_gb(plan.mib)} at the least, and only {_gb(settings.memory)} are allowed "
                "(--memory): allow more, or resample the images to larger voxels."
            )
        voxels = max(int(0.9 * voxels), min(FEWEST, wanted))
    if voxels == wanted:
        return plan
    limit = _gb(settings.memory)
    said = Message("coarser_for_memory", limit=limit, million=voxels / 1e6, wanted_million=wanted / 1e6)
    return replace(plan, settings=replace(plan.settings, voxels=voxels), warnings=(said,))


def piece_of_features(image: Lattice, target: Lattice, descriptor: Descriptor, limit: int) -> int:
    """Voxels that ``dsir features`` describes in one go to stay below ``limit`` MiB (0: none).

    Raises:
        DsirError: the image and its descriptors alone are larger.
    """
    network = NETWORK if descriptor.spacing is not None else 0
    volume, work = (float(np.prod(lattice.shape)) / MIB for lattice in (image, target))
    held = PROGRAM + 18 * volume + (4 * descriptor.channels + 12) * work
    for piece in (WHOLE, PIECE, PIECE // 2, PIECE // 4, SMALL_PIECE):
        mib = held + (8 * descriptor.channels + 24 + 4 * network) * min(piece / MIB, work)
        if not limit or mib <= limit:
            return piece
    raise DsirError(
        f"The descriptors of this image need about {_gb(mib)}, and only {_gb(limit)} are allowed (--memory): allow "
        "more, or choose a larger --spacing."
    )


def _plan(
    fixed: Lattice,
    moving: Lattice,
    descriptor: Descriptor,
    settings: RegistrationSettings,
    piece: int,
    voxels: int,
) -> Plan:
    still, other = (float(np.prod(lattice.shape)) / MIB for lattice in (fixed, moving))  # a MiB for each byte a voxel
    work, piece_mib = voxels / MIB, min(piece, 2.5 * voxels) / MIB
    channels = descriptor.channels
    network = NETWORK if descriptor.spacing is not None else 0
    placed = PLACED if network and any(level.place for level in settings.descent.levels) else 0
    images = 5 * (still + other)  # float32 and a mask
    again = 2 * (placed + DIRECTIONS) * 3 * work  # of the levels that place, and what weighed levels descend on
    held: float = channels
    if isinstance(descriptor, Blend):
        held = descriptor.second.channels + descriptor.first.channels / (8 if thinned_network(descriptor.first) else 1)
    described = 2 * held * 3 * work + 40 * work  # fixed, and moving with its rim; half precision
    stages = {
        "reading": 4 * (still + other) + 6 * max(still, other),
        "linear": images + 20 * other,
        "describing": images + 20 * max(still, other) + described + (4 * channels + 24 + 4 * network) * piece_mib,
        "discrete": images + described + 1.25 * settings.discrete.memory,
        # The image and the vectors of the moving scan with its rim; relations and the head's layers of a block.
        "placing": images + described + again + (2 * (8 + 2 * 16) * work + 150 * min(1.0, 8 * work)) * (placed > 0),
        "descent": images + described + again + 150 * work,
        "writing": 4 * (still + other) + 24 * still + 600 * min(1.0, still / 20),
    }
    return Plan(settings, piece, PROGRAM + max(stages.values()))


def _gb(mib: float) -> str:
    return f"{mib * MIB / 1e9:.1f} GB"
