"""What every structural representation is to the rest of the engine, and how one is had by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from ..errors import DsirError
from .dsir import Dsir
from .masrnet import MasrNetSettings
from .mind import Mind
from .mirrored import Mirrored
from .place_descriptor import Placed
from .place_weights import is_place, read_place
from .weights import manifest, read_weights, shipped


@runtime_checkable
class Descriptor(Protocol):
    """A volume in, one unit vector for each voxel out.

    Attributes:
        name: what the user calls it: ``"dsir"``, ``"mind"``.
        channels: length C of the vectors.
        spacing: the voxel size in mm it was made for; None: any.
        margin: voxels of context on each side for a tile to equal the whole volume.
        identity: what a run log needs to name it for ever (settings, hash of the weights).
    """

    @property
    def name(self) -> str: ...

    @property
    def channels(self) -> int: ...

    @property
    def spacing(self) -> float | None: ...

    @property
    def margin(self) -> int: ...

    @property
    def identity(self) -> Mapping[str, object]: ...

    def normalise(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Raw intensities (I, J, K) of the *whole* volume to the scale that :meth:`describe` expects."""

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        """(I, J, K) on an isotropic lattice to (C, I, J, K) float32, L2-normalised; tiles of it equal the whole."""

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw, finite intensities to (C, I, J, K): ``describe(normalise(volume, mask))``."""


def load_descriptor(name: str, device: str | torch.device = "cpu") -> Descriptor:
    """A descriptor by name.

    Args:
        name: ``"mind"``; a shipped model such as ``"dsir"``; ``"cnn"``: the same network untrained; or the path of a
            ``.safetensors`` file that training wrote. A model's name followed by ``-mirrored`` asks it three times.

    Raises:
        DsirError: no descriptor has this name, or its weights are damaged.
    """
    if name == "mind":
        return Mind()
    if name.endswith("-mirrored"):
        inner = load_descriptor(name.removesuffix("-mirrored"), device)
        if not isinstance(inner, Dsir):
            raise DsirError(f"Only the trained networks are asked in a mirror too, and {inner.name!r} is none of them.")
        return Mirrored(inner)
    if name == "cnn":
        return Dsir.untrained(MasrNetSettings())
    if name in (models := manifest()):
        return Dsir.trained(shipped(name), name=name, device=device)
    if name.endswith(".safetensors") and is_place(Path(name)):
        return Placed(shipped("dsir"), read_place(Path(name)), name=Path(name).stem, device=device)
    if name.endswith(".safetensors"):
        return Dsir.trained(read_weights(Path(name)), name=Path(name).stem, device=device)
    known = ", ".join(["mind", "cnn", *models])
    raise DsirError(f"There is no descriptor named '{name}'; choose one of: {known}.")
