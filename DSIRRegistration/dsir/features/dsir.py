"""DSIR, the learned representation, as a descriptor: a trained (or untrained) MASR-Net and how to run it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from ..errors import DsirError
from .between import thinned_box
from .masrnet import MasrNet, MasrNetSettings
from .normalise import normalise
from .unit import unit
from .weights import Weights

RIM = 8
"""Voxels of background put around every volume before the network sees it, twice as many where it is thin.

In training, what lay past a scan's edge was background; the network's own zero padding it met at the views' edges only.
Measured, found within 4 mm without and with the rim: lung 0.65 and 0.76, 16 mm of a neck 0.14 and 0.28, 60 mm of an
abdomen 0.65 and 0.80, brain unchanged.
"""

THIN = 40
"""Voxels; a side shorter than this is thin."""


class Dsir:
    """MASR-Net as a :class:`dsir.features.descriptor.Descriptor`.

    On processors with bf16 matrix units the network runs in bfloat16 (measured: retrieval unchanged, several times
    faster); elsewhere in float32.
    """

    def __init__(
        self,
        network: MasrNet,
        *,
        name: str,
        spacing: float,
        device: str | torch.device = "cpu",
        half: bool | None = None,
        identity: dict[str, object] | None = None,
    ) -> None:
        self.name, self.spacing = name, spacing
        self.channels, self.margin = network.settings.channels, network.settings.margin
        self.stride = network.settings.stride
        self.identity = {"descriptor": name, **(identity or {})}
        self.device = torch.device(device)
        self.half = has_bfloat16(self.device) if half is None else half
        self.network = network.to(self.device).eval().requires_grad_(False)

    @staticmethod
    def trained(weights: Weights, *, name: str = "dsir", device: str | torch.device = "cpu") -> Dsir:
        """The descriptor of these weights.

        Raises:
            DsirError: settings, tensors and provenance do not fit each other.
        """
        try:
            network = MasrNet(weights.settings)
            network.load_state_dict(weights.tensors)
            spacing, identity = (
                float(str(weights.provenance["spacing"])),
                {"sha256": weights.sha256, **weights.provenance},
            )
            if not 0 < spacing < float("inf"):
                raise ValueError(f"its spacing is {spacing}")
        except (
            RuntimeError,
            MemoryError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            ArithmeticError,
        ) as error:
            reason = " ".join(str(error).split())[:200]
            raise DsirError(f"The weights of {name} are damaged, or of another network: {reason}.") from error
        return Dsir(network, name=name, spacing=spacing, device=device, identity=identity)

    @staticmethod
    def untrained(
        settings: MasrNetSettings,
        *,
        seed: int = 0,
        spacing: float = 2.0,
        name: str = "cnn",
        half: bool | None = None,
    ) -> Dsir:
        """The same network before it learned anything: the floor every figure is compared with."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = MasrNet(settings)
        return Dsir(network, name=name, spacing=spacing, half=half, identity={"seed": seed})

    def normalise(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Intensities (I, J, K) to one scale; of the whole volume, before it is cut into tiles."""
        return normalise(volume, mask)

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        """(I, J, K) normalised intensities to (C, I, J, K) float32 unit vectors on the CPU."""
        volume, inner = self._rimmed(normalised)
        with self._computing():
            return self.network(volume, inner)[0].cpu()

    def describe_thinned(self, normalised: torch.Tensor) -> torch.Tensor:
        """The unit vectors (C, I', J', K') of every second voxel, which all others lie between (:mod:`.between`).

        Only of a network that is ``thinned``: an eighth of the memory of :meth:`describe`, and less work.
        """
        volume, inner = self._rimmed(normalised)
        with self._computing():
            vectors = self.network.encoded(volume)[0]
        return unit(vectors[(slice(None), *thinned_box(inner))].float(), 0, 1e-6).cpu()

    @property
    def thinned(self) -> bool:
        """Whether the network makes a vector for every second voxel and interpolates the others."""
        return self.network.settings.thinned

    def _rimmed(self, normalised: torch.Tensor) -> tuple[torch.Tensor, tuple[slice, slice, slice]]:
        """(1, 1, ...) the volume with its rim, on the device; and where in it the volume lies."""
        rims = [2 * RIM if size < THIN else RIM for size in normalised.shape]
        volume = normalised[None, None].float().to(self.device)
        i, j, k = (slice(rim, rim + size) for rim, size in zip(rims, normalised.shape, strict=True))
        return F.pad(volume, [rim for rim in reversed(rims) for _ in range(2)]), (i, j, k)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            yield

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw intensities on an isotropic lattice to (C, I, J, K)."""
        return self.describe(self.normalise(volume, mask))


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is the fast way here: AMX or AVX-512 with bf16 on a CPU, any recent GPU.

    Measured on one core with AVX-512 bf16 (Zen 5): the convolutions take a half to a twentieth of float32's time; on
    AVX2 alone, many times as long.
    """
    if device.type == "cpu":
        units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, unit, lambda: False)() for unit in units)
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
