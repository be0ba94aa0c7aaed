"""Training of MASR-Net: single volumes in, the weights of a structural representation out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..features.masrnet import MasrNet, MasrNetSettings
from ..features.weights import read_weights, write_weights
from ..progress import Progress, silent
from .batches import Examples, ExampleSettings
from .contrast import LossSettings, contrast
from .multicontrast import load_contrasts
from .placing import pull
from .run import RunSettings, begin, learn
from .volumes import load_sources


@dataclass(frozen=True)
class TrainingSettings(RunSettings):
    """A run that learns the representation.

    The learning rate is ten times the paper's [R: 1e-4]; with warm-up it learns faster (measured).

    Attributes:
        source_spacing: mm of the lattice the sources are kept on.
    """

    network: MasrNetSettings = field(default_factory=MasrNetSettings)
    examples: ExampleSettings = field(default_factory=ExampleSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    source_spacing: float = 1.5


def train(
    data: Path,
    out: Path,
    settings: TrainingSettings,
    progress: Progress = silent,
    *,
    labelmaps: Path | None = None,
    init: Path | None = None,
    resume: bool = False,
) -> Path:
    """Train, and return the path of the averaged weights ``out/weights.safetensors``.

    ``out`` also gets ``settings.json``, ``log.csv``, ``tensorboard/`` and ``checkpoint.safetensors``.

    Args:
        data: folder of NIfTI volumes, any modality and body part; files ``person_part_contrast`` of one person serve as
            views of each other.
        labelmaps: folder of NIfTI label maps to synthesise images from.
        init: weights to start from.
        resume: go on from ``out``'s checkpoint.
    """
    begin(out, settings, resume=resume)
    tell = lambda name: progress("reading", 0.0, f"reading {name}")  # noqa: E731
    sources = load_sources(data, labelmaps, settings.source_spacing, tell)
    contrasts = load_contrasts(data, settings.source_spacing, tell) if settings.examples.contrasts else []
    examples = Examples(sources, settings.examples, settings.loss, settings.seed, contrasts)
    task = Representation(settings, examples)
    torch.manual_seed(settings.seed)
    network = MasrNet(settings.network)
    if init:
        network.load_state_dict(read_weights(init).tensors)
    return learn(task, settings, network, out, progress, resume=resume)


class Views(NamedTuple):
    """Two views (n, n, n), voxels (3, N) in each that show the same points, and the patches (3, P, V) of the placing
    loss."""

    first: torch.Tensor
    second: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    here: torch.Tensor
    there: torch.Tensor


class Representation:
    """The same point in two views is alike, every other is not; a :class:`dsir.training.run.Task`."""

    facts: tuple[str, ...] = ("hits", "pull")

    def __init__(self, settings: TrainingSettings, examples: Examples) -> None:
        self.settings, self.examples = settings, examples

    def draw(self, number: int) -> Views:
        """What the loss needs of the example; its source, a whole volume, stays where it is."""
        example = self.examples.draw(number)
        return Views(example.first, example.second, example.a, example.b, *example.patches)

    def loss(self, model: nn.Module, example: Views) -> tuple[torch.Tensor, dict[str, float]]:
        settings, device = self.settings.loss, next(model.parameters()).device
        example = Views(*(values.to(device) for values in example))
        first, second = (model(view[None, None])[0] for view in (example.first, example.second))
        result = contrast(first, second, example.a, example.b, settings)
        here, there = example.here, example.there
        if not settings.placing or not here.numel():
            return result.loss, {"hits": result.hits, "pull": 0.0}
        step = pull(first, second, here, there)
        return result.loss + settings.placing * step.log(), {"hits": result.hits, "pull": float(step.detach())}

    def write(self, path: Path, network: nn.Module, provenance: dict[str, object]) -> None:
        spacing = self.settings.examples.views.spacing
        write_weights(path, network, self.settings.network, {**provenance, "spacing": spacing})
