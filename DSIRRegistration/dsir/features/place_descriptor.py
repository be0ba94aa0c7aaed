"""The place head as a descriptor: the find network runs first, the head adds where things are."""

from __future__ import annotations

import torch

from ..errors import DsirError
from .dsir import Dsir
from .normalise import normalise
from .place import PlaceHead
from .place_weights import PlaceWeights
from .weights import Weights


class Placed:
    """Place vectors alone, as a :class:`dsir.features.descriptor.Descriptor`.

    Raises:
        DsirError: the head was trained beside another find network.
    """

    def __init__(self, find: Weights, place: PlaceWeights, *, name: str, device: str | torch.device = "cpu") -> None:
        if place.provenance.get("find") not in (None, find.sha256):
            raise DsirError(f"The place head {name} was trained beside another find network than the one that is here.")
        self.find = Dsir.trained(find, device=device)
        self.head = PlaceHead(place.settings)
        self.head.load_state_dict(place.tensors)
        self.head.to(device).eval().requires_grad_(False)
        self.name, self.channels = name, place.settings.channels
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
        device = self.find.device
        volume = normalised[None, None].float().to(device)
        context = self.find.describe(normalised)[None].to(device) if self.head.settings.context else None
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=self.find.half):
            return self.head(volume, context)[0].float().cpu()

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw intensities on an isotropic lattice to (C, I, J, K)."""
        return self.describe(self.normalise(volume, mask))
