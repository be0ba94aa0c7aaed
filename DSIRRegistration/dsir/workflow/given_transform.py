"""A transform that the user gives: where its file can be read in two ways, the images say which one is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import DsirError
from ..files.dicom_registration import MIRROR, Frames
from ..files.displacements import UNSAID, Convention, by_dsir
from ..files.images import ITK, NIFTI, suffix
from ..files.transforms import transform_readings
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..messages import Message
from ..registration.start_similarity import StartSimilarity
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear

CLEAR = 0.02
"""Mean cosine by which one reading has to beat the other; the right one of a field of 6 mm does by 0.1 and more."""

LOWERED = 0.01
"""Mean cosine by which a start has to be worse than none before it is said."""

NAMES = {"lps": "LPS", "ras": "RAS"}

VECTOR_IMAGES = (*NIFTI, *ITK)
"""Files in which nothing but a header says what vectors mean; ITK's transform files and DICOM's objects are LPS."""


@dataclass(frozen=True, eq=False)
class GivenTransform:
    """Attributes:
    transform: fixed to moving.
    remarks: what a reader must know of how it was read, one sentence each.
    """

    transform: Transform
    remarks: tuple[str, ...] = ()


def read_given_transform(
    path: str | Path,
    *,
    convention: Convention | None = None,
    fixed: Image | None = None,
    moving: Image | None = None,
    fixed_mask: torch.Tensor | None = None,
    frames: Frames | None = None,
) -> GivenTransform:
    """Read a transform as its file, the user, or else the similarity of the images says.

    Args:
        convention: of a field whose file does not say what its vectors are; stands above what it says.
        fixed, moving: the images it belongs to, where they are known.
        frames: their frames of reference, which pick among the registrations of one DICOM object.

    Raises:
        DsirError: as :func:`dsir.files.transforms.read_transform`; neither file nor user nor images say what is meant;
            a displacement field whose grid lies elsewhere than the fixed image.
    """
    readings = transform_readings(path, convention=convention, frames=frames)
    if fixed is not None and not within_fields(next(iter(readings.values())), _spread(fixed.lattice)).any():
        raise DsirError(f"{path} belongs to other scans: none of the fixed scan lies on its grid.")
    if len(readings) == 1:
        ((name, only),) = readings.items()
        doubts = _check_field(only, name, path, fixed, moving, fixed_mask, asked=convention is not None)
        return GivenTransform(only, (*_mirror_remarks(only, path), *doubts))
    if fixed is None or moving is None:
        raise DsirError(UNSAID.format(path=path))
    measured = StartSimilarity.of(fixed, moving, fixed_mask)
    found = {name: measured.through(made) for name, made in readings.items()}
    best = max(found, key=lambda name: found[name])
    other = min(found, key=lambda name: found[name])
    if found[best] - found[other] < CLEAR:
        raise DsirError(f"{UNSAID.format(path=path)} The images fit equally well by both.")
    if found[best] < measured.through(Transform()) - LOWERED:
        raise DsirError(f"{UNSAID.format(path=path)} The images fit worse by both than without it.")
    return GivenTransform(
        readings[best],
        (
            *_mirror_remarks(readings[best], path),
            Message(
                "convention_guessed",
                file=Path(path).name,
                taken=NAMES[best],
                similarity=found[best],
                other=found[other],
            ),
        ),
    )


def _check_field(
    given: Transform,
    name: Convention,
    path: str | Path,
    fixed: Image | None,
    moving: Image | None,
    fixed_mask: torch.Tensor | None,
    *,
    asked: bool,
) -> tuple[str, ...]:
    """Refuse a vector image whose header lies by what the scans say: its numbers are LPS under the intent of RAS, or
    the other way round, or count in voxels. What was asked for is kept and said.

    Raises:
        DsirError: the scans fit clearly better by another reading than by its own and than without it.
    """
    field = given.parts[0] if len(given.parts) == 1 else None
    if suffix(path) not in VECTOR_IMAGES or not isinstance(field, DisplacementField) or by_dsir(path):
        return ()
    file, taken, own = Path(path).name, NAMES[name], field.vectors
    if fixed is None or moving is None:
        return () if asked else (Message("field_unchecked", file=file, taken=taken),)
    mirrored = own * torch.from_numpy(MIRROR)
    stored, steps = own if name == "ras" else mirrored, torch.from_numpy(field.lattice.affine[:3, :3]).float()
    others = {"RAS mm" if name == "lps" else "LPS mm": mirrored}
    others["voxels"] = torch.einsum("ab,bijk->aijk", steps, stored)
    measured = StartSimilarity.of(fixed, moving, fixed_mask)
    by_own, without = measured.through(given), measured.through(Transform())
    found = {
        how: measured.through(Transform((DisplacementField(vectors, field.lattice),)))
        for how, vectors in others.items()
    }
    best = max(found, key=lambda how: found[how])
    if found[best] < max(by_own, without) + CLEAR:
        return ()
    said = Message("field_fits_otherwise", file=file, taken=taken, how=best, given=by_own, other=found[best])
    if not asked:
        raise DsirError(f"{said} Say --field-convention lps or ras if it is meant, or write it in mm.")
    return (said,)


def within_fields(given: Transform, fixed: np.ndarray) -> np.ndarray:
    """(N,) bool: whether fixed RAS points (N, 3) meet every displacement field of a chain within its grid."""
    inside, points = np.ones(len(fixed), dtype=bool), fixed
    for part in given.parts:
        if isinstance(part, DisplacementField):
            inside &= part.lattice.contains(points)
        points = part.transform_points(points)
    return inside


def _spread(lattice: Lattice) -> np.ndarray:
    """(N, 3) RAS mm: points spread over a lattice, some ten along each axis."""
    axes = [np.unique(np.linspace(0, n - 1, min(n, 11)).round()) for n in lattice.shape]
    return lattice.to_world(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3))


def _mirror_remarks(given: Transform, path: str | Path) -> tuple[str, ...]:
    """No person is another's mirror image, and no scanner makes one of him: a wrong header or convention does."""
    signs = [np.linalg.det(part.matrix[:3, :3]) < 0 for part in given.parts if isinstance(part, Linear)]
    return (Message("mirrors", file=Path(path).name),) if sum(signs) % 2 else ()


def start_warnings(
    given: Transform,
    fixed: Image | None,
    moving: Image | None,
    fixed_mask: torch.Tensor | None = None,
    moving_mask: torch.Tensor | None = None,
) -> tuple[str, ...]:
    """A sentence where a transform makes the images fit worse than none, as one that leads the other way does."""
    if fixed is None or moving is None:
        return ()
    measured = StartSimilarity.of(fixed, moving, fixed_mask, moving_mask)
    without, with_it = measured.through(Transform()), measured.through(given)
    if with_it > without - LOWERED:
        return ()
    return (Message("start_lowers_similarity", without=without, given=with_it),)
