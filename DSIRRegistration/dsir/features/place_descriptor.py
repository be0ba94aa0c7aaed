"""The place head at work: alone as a descriptor, or beside find vectors that are there already."""

from __future__ import annotations

from itertools import pairwise, product

import torch
import torch.nn.functional as F

from ..errors import DsirError
from ..geometry.lattice import as_shape
from ..geometry.occupied import Box, around, occupied, within
from .between import at_voxels
from .dsir import Dsir
from .normalise import normalise
from .place import PlaceHead
from .place_weights import PlaceWeights, shipped_place
from .unit import unit
from .weights import Weights

BLOCK = 48
"""Voxels along an edge that the head's layers see at a time: 150 MB."""

REACH = 2
"""Voxels on each side that the head's convolutions look at."""

FACE = 700
"""Voxels in the first two axes, below which PyTorch takes another convolution, which is many times slower."""

SLAB = 60_000
"""Voxels whose relations are made at a time."""


class Placed:
    """Place vectors alone, as a :class:`dsir.features.descriptor.Descriptor`.

    Raises:
        DsirError: the head was trained beside another find network.
    """

    def __init__(self, find: Weights, place: PlaceWeights, *, name: str, device: str | torch.device = "cpu") -> None:
        if place.provenance.get("find") not in (None, find.sha256):
            raise DsirError(f"The place head {name} was trained beside another find network than the one that is here.")
        self.find = Dsir.trained(find, device=device)
        self.output = PlaceOutput(place, self.find.device, half=self.find.half)
        self.name, self.channels = name, self.output.channels
        self.spacing: float | None = self.find.spacing
        self.margin = self.find.margin + place.settings.margin
        self.identity: dict[str, object] = {
            "descriptor": name,
            "sha256": place.sha256,
            **place.provenance,
        }

    def normalise(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Intensities (I, J, K) to one scale; of the whole volume, before it is cut into tiles."""
        return normalise(volume, mask)

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        """(I, J, K) normalised intensities to (C, I, J, K) float32 unit vectors on the CPU."""
        find = self.find.describe(normalised) if self.output.reads_find else normalised[None]
        return self.output.describe(normalised, find, torch.ones(normalised.shape)).float()

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw intensities on an isotropic lattice to (C, I, J, K)."""
        return self.describe(self.normalise(volume, mask))


class PlaceOutput:
    """The second output of a find network: place vectors, from the image and the find vectors it was described with.

    Attributes:
        channels: length of the place vectors.
        reads_find: whether the head looks at the find vectors, or at the image alone.
    """

    def __init__(self, weights: PlaceWeights, device: torch.device, *, half: bool) -> None:
        self.head = PlaceHead(weights.settings)
        self.head.load_state_dict(weights.tensors)
        self.head.to(device).eval().requires_grad_(False)
        self.device, self.half = device, half
        self.channels, self.reads_find = weights.settings.channels, weights.settings.context > 0

    @staticmethod
    def of(find: Dsir) -> PlaceOutput | None:
        """That of a find network; None where no head was trained beside it."""
        weights = shipped_place(str(find.identity.get("sha256")))
        return PlaceOutput(weights, find.device, half=find.half) if weights else None

    def describe(
        self, normalised: torch.Tensor, find: torch.Tensor, wanted: torch.Tensor, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Place vectors of a whole volume, block by block, so that no volume of the head's layers is ever held.

        Args:
            normalised: (I, J, K) intensities.
            find: (F, I, J, K) find vectors of any length, or those of every second voxel (:mod:`.between`).
            wanted: (I, J, K), non-zero where place vectors are needed; elsewhere they may be zero.
            out: (C, I, J, K) zeros on the CPU, to be filled and returned; float16 by default.

        Returns:
            (C, I, J, K) unit vectors on the CPU.
        """
        margin, shape = self.head.settings.relations.margin, as_shape(normalised.shape)
        padded = F.pad(normalised[None, None].float(), [margin] * 6, mode="replicate").to(self.device)
        out = torch.zeros(self.channels, *shape, dtype=torch.float16) if out is None else out
        for box in _blocks(wanted):
            wide = around(box, shape, REACH)
            context = unit(at_voxels(find, wide, shape).float(), 0, 1e-3)[None] if self.reads_find else None
            relations = self._relations(padded, wide)
            with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                vectors = self.head.placed(relations, None if context is None else context.to(self.device))[0]
            out[(slice(None), *box)] = vectors[(slice(None), *within(box, wide))].cpu()
        return out

    def _relations(self, padded: torch.Tensor, box: Box) -> torch.Tensor:
        """(1, relations, ...) of a box of the volume that ``padded`` (1, 1, I + 2 m, ...) is, a few planes at a time.

        So that what is between stays in the processor's cache.
        """
        rows, columns, lines = box
        margin, count = self.head.settings.relations.margin, self.head.settings.relations.relations
        part = padded[..., columns.start : columns.stop + 2 * margin, lines.start : lines.stop + 2 * margin]
        shape = tuple(s.stop - s.start for s in box)
        out = torch.empty(1, count, *shape, device=padded.device)
        planes = max(1, SLAB // (shape[1] * shape[2]))
        for start in range(0, shape[0], planes):
            first = rows.start + start
            last = min(first + planes, rows.stop)
            with torch.no_grad():
                out[:, :, start : start + planes] = self.head.related(part[:, :, first : last + 2 * margin])
        return out


def _blocks(wanted: torch.Tensor) -> list[Box]:
    """Boxes of at most :data:`BLOCK` voxels along an edge that together hold all that is not zero in (I, J, K)."""
    if (whole := occupied(wanted)) is None:
        return []
    rows, columns, lines = (_cut(ends.start, ends.stop) for ends in whole)
    held = [(block, occupied(wanted[block])) for block in product(rows, columns, lines)]
    return [_tight(block, inner) for block, inner in held if inner is not None]


def _cut(start: int, stop: int) -> list[slice]:
    """A range in equal parts."""
    parts = -(-(stop - start) // BLOCK)
    ends = [start + (stop - start) * n // parts for n in range(parts + 1)]
    return [slice(a, b) for a, b in pairwise(ends)]


def _tight(block: Box, inner: Box) -> Box:
    """``inner``, which is counted from the block's corner, in the volume; the block where that is too small a face."""
    rows, columns, planes = (slice(b.start + i.start, b.start + i.stop) for b, i in zip(block, inner, strict=True))
    face = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns, planes) if face >= FACE else block
