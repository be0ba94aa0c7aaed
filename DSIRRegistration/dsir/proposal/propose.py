"""Ask a registration network for a field, and take it only if it brings like to like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from ..errors import DsirError
from ..features.descriptor import Descriptor, load_descriptor
from ..geometry.sampling import index_grid, sample
from ..registration.regularity import mended
from ..registration.working_grid import Described
from ..transforms.field import DisplacementField
from .weights import Trained, read_registration


@dataclass(frozen=True, eq=False)
class Proposal:
    """What a network proposed.

    Attributes:
        field: on its lattice, without folds; None where it did not raise the similarity.
        report: JSON-ready: the weights' SHA-256, ``similarity`` before and with the field, ``accepted``.
    """

    field: DisplacementField | None
    report: dict[str, object]


class Proposer:
    """A trained network and the descriptor it reads."""

    def __init__(self, trained: Trained, device: str = "cpu") -> None:
        self.trained = trained
        self.descriptor = load_descriptor(trained.descriptor, device)
        if _hash(self.descriptor.identity) != _hash(trained.identity):
            raise DsirError(
                f"The registration network was trained on other weights of the descriptor {trained.descriptor!r} than "
                "those installed here; train it again."
            )

    @staticmethod
    def read(path: Path, device: str = "cpu") -> Proposer:
        """From a file that ``dsir train-registration`` wrote.

        Raises:
            DsirError: no such file, no such network, or it was trained on another descriptor than is installed.
        """
        return Proposer(read_registration(path), device)

    def __call__(
        self,
        used: Descriptor,
        fixed: Described,
        moving: Described,
        described: Callable[[Descriptor], tuple[Described, Described]],
    ) -> Proposal:
        """Propose a displacement.

        Args:
            used: the descriptor of ``fixed`` and ``moving``, which lie in one frame.
            described: describes both images by another descriptor, in the same frame.
        """
        if self._reads(used):
            fixed, moving = (self._own(side) for side in (fixed, moving))
        else:
            fixed, moving = described(self.descriptor)
        lattice = fixed.lattice.with_spacing(self.trained.network.settings.spacing)
        target, source = fixed.onto(lattice), moving.onto(lattice)
        with torch.no_grad():
            u = self.trained.network(target.features[None].float(), source.features[None].float())[0]
        u = mended(u)[0]
        before, after = similarity(target, source, torch.zeros_like(u)), similarity(target, source, u)
        report = {
            "sha256": self.trained.sha256,
            "similarity": {"before": before, "after": after},
            "accepted": after > before,
        }
        return Proposal(DisplacementField.from_index(u, lattice) if after > before else None, report)

    def _reads(self, used: Descriptor) -> bool:
        """Whether the first channels of ``used`` (which may carry others beside) are the network's own."""
        return used.name == self.descriptor.name and _hash(used.identity) == _hash(self.descriptor.identity)

    def _own(self, side: Described) -> Described:
        features = F.normalize(side.features[: self.descriptor.channels].float(), dim=0, eps=1e-3)
        return Described(features, side.mask, side.reach, side.lattice)


def similarity(fixed: Described, moving: Described, u: torch.Tensor) -> float:
    """Mean cosine over the fixed body with a displacement (3, I, J, K) in voxels, both on one lattice."""
    reached = sample(moving.features.float(), index_grid(u.shape[1:]) + u)
    cosine = F.cosine_similarity(fixed.features.float(), reached, dim=0, eps=1e-3)
    return float((cosine * fixed.mask).sum() / fixed.mask.sum().clamp(min=1e-6))


def _hash(identity: dict[str, object]) -> object:
    return identity.get("sha256", identity.get("descriptor"))
