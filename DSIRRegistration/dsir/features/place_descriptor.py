"""The place head at work: alone as a descriptor, or beside find vectors that are there already."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F

from ..errors import DsirError
from .dsir import Dsir
from .normalise import normalise
from .place import PlaceHead
from .place_weights import PlaceWeights, shipped_place
from .weights import Weights

BLOCK = 64
"""Voxels along an edge that the head's layers see at a time: 300 MB."""

REACH = 2
"""Voxels on each side that the head's convolutions look at."""

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

    def describe(self, normalised: torch.Tensor, find: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Place vectors of a whole volume, block by block, so that no volume of the head's layers is ever held.

        Args:
            normalised: (I, J, K) intensities.
            find: (F, I, J, K) find vectors, of any length.
            wanted: (I, J, K), non-zero where place vectors are needed; elsewhere they may be zero.

        Returns:
            (C, I, J, K) float16 unit vectors on the CPU.
        """
        relations, shape = self._relations(normalised), normalised.shape
        out = torch.zeros(self.channels, *shape, dtype=torch.float16)
        for low in product(*(range(0, size, BLOCK) for size in shape)):
            box = tuple(slice(a, min(a + BLOCK, size)) for a, size in zip(low, shape, strict=True))
            if not bool(wanted[box].any()):
                continue
            wide = [(max(s.start - REACH, 0), min(s.stop + REACH, size)) for s, size in zip(box, shape, strict=True)]
            around = (slice(None), *(slice(*ends) for ends in wide))
            inner = tuple(slice(s.start - start, s.stop - start) for s, (start, _) in zip(box, wide, strict=True))
            unit = F.normalize(find[around].float(), dim=0, eps=1e-3).to(self.device)
            context = unit[None] if self.reads_find else None
            with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                vectors = self.head.placed(relations[around].float().to(self.device)[None], context)[0]
            out[(slice(None), *box)] = vectors[(slice(None), *inner)].cpu()
        return out

    def _relations(self, normalised: torch.Tensor) -> torch.Tensor:
        """(relations, I, J, K) float16 of the image, a few planes at a time."""
        margin, count = self.head.settings.relations.margin, self.head.settings.relations.relations
        out = torch.empty(count, *normalised.shape, dtype=torch.float16)
        padded = F.pad(normalised[None, None].float(), [margin] * 6, mode="replicate").to(self.device)
        planes = max(1, SLAB // normalised[0].numel())
        for start in range(0, normalised.shape[0], planes):
            slab = padded[:, :, start : start + planes + 2 * margin]
            with torch.no_grad():
                out[:, start : start + planes] = self.head.related(slab)[0].cpu()
        return out
