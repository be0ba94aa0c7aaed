"""Training of the registration network: single scans in, no pairs, no labels, no known deformation.

The loss is the paper's: one minus the cosine of the descriptors that the field brings together, and the roughness of
the field. The known deformation of the made-up pairs is only looked at for the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..features.descriptor import Descriptor, load_descriptor
from ..geometry.sampling import index_grid, sample
from ..progress import Progress, silent
from ..proposal.network import RegistrationNetwork, RegistrationNetworkSettings
from ..proposal.weights import write_registration
from .batches import Examples, ExampleSettings, Mixture
from .contrast import LossSettings
from .pairs import Pairs, PairSettings
from .processes import device
from .run import Run, RunSettings, begin
from .views import ViewSettings
from .volumes import load_sources


def _examples() -> ExampleSettings:
    """Views larger than those a representation is learned from, and as far apart as linear alignment leaves them."""
    views = ViewSettings(size=64, offset=0.04, rotation=8.0, scale=0.05, warp=0.0)
    return ExampleSettings(views=views, mixture=Mixture(scan=0.6, labels=0.2, clusters=0.2, shapes=0.0))


@dataclass(frozen=True)
class RegistrationTrainingSettings(RunSettings):
    """A run that learns to register.

    Attributes:
        descriptor: whose vectors are compared and shown to the network; never changed by the training.
        smoothness: weight of the mean squared differences of the displacement (in voxels) between neighbours.
        examples: the views that are described.
        pairs: how many of them, and how they are bent.
        source_spacing: mm of the lattice the sources are kept on.
    """

    steps: int = 4000
    learning_rate: float = 1e-3
    warmup: int = 50
    average: float = 0.995
    descriptor: str = "dsir"
    smoothness: float = 0.3
    network: RegistrationNetworkSettings = field(default_factory=RegistrationNetworkSettings)
    examples: ExampleSettings = field(default_factory=_examples)
    pairs: PairSettings = field(default_factory=PairSettings)
    source_spacing: float = 1.5


def train_registration(
    data: Path,
    out: Path,
    settings: RegistrationTrainingSettings,
    progress: Progress = silent,
    *,
    labelmaps: Path | None = None,
    resume: bool = False,
) -> Path:
    """Train, and return the path of the averaged weights ``out/weights.safetensors``.

    ``out`` also gets what every run leaves: ``settings.json``, ``log.csv``, ``tensorboard/``, a checkpoint.

    Args:
        data: folder of NIfTI volumes, any modality and body part.
        labelmaps: folder of NIfTI label maps to synthesise images from.
        resume: go on from ``out``'s checkpoint.
    """
    descriptor = load_descriptor(settings.descriptor, device(settings.accelerator))
    settings = replace(settings, network=replace(settings.network, channels=descriptor.channels))
    begin(out, settings, resume=resume)
    sources = load_sources(
        data, labelmaps, settings.source_spacing, lambda name: progress("reading", 0.0, f"reading {name}")
    )
    examples = Examples(sources, settings.examples, LossSettings(positions=400, near=0.0), settings.seed)
    pairs = Pairs(examples, descriptor, settings.pairs, settings.network.spacing, progress)
    torch.manual_seed(settings.seed)
    run = Run(settings, RegistrationNetwork(settings.network), out)
    if resume:
        run.resume()
    return run.go(Registration(settings, pairs, descriptor), progress)


class Registration:
    """Bring equal descriptors together by a smooth field; a :class:`dsir.training.run.Task`."""

    facts = ("similarity", "roughness", "start_mm", "error_mm")

    def __init__(self, settings: RegistrationTrainingSettings, pairs: Pairs, descriptor: Descriptor) -> None:
        self.settings, self.pairs, self.descriptor = settings, pairs, descriptor

    def loss(self, model: nn.Module, number: int) -> tuple[torch.Tensor, dict[str, float]]:
        fixed, moving = self.pairs.draw(number, next(model.parameters()).device)
        u = model(fixed.features[None], moving.features[None])[0].float()
        reached = sample(moving.features, index_grid(u.shape[1:], device=u.device) + u)
        cosine = F.cosine_similarity(fixed.features, reached, dim=0, eps=1e-3)
        similarity = (cosine * fixed.body).sum() / fixed.body.sum().clamp(min=1)
        roughness = sum(torch.diff(u, dim=axis).square().mean() for axis in (1, 2, 3))
        loss = 1 - similarity + self.settings.smoothness * roughness
        with torch.no_grad():
            truth = moving.points - fixed.points
            missed = sample(u, fixed.points, padding="border") - truth
            start, error = (self.settings.network.spacing * d.norm(dim=0).mean() for d in (truth, missed))
        facts = {"similarity": similarity, "roughness": roughness, "start_mm": start, "error_mm": error}
        return loss, {name: float(value.detach()) for name, value in facts.items()}

    def write(self, path: Path, network: nn.Module, provenance: dict[str, object]) -> None:
        write_registration(path, network, self.settings.descriptor, self.descriptor.identity, provenance)
