"""Training of the place head: the find network is there already and stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from ..errors import DsirError
from ..features.dsir import has_bfloat16
from ..features.layers import double, thinned
from ..features.masrnet import MasrNet
from ..features.place import PlaceHead, PlaceSettings
from ..features.place_weights import write_place
from ..features.weights import Weights
from ..progress import Progress, silent
from .batches import DRAWS, Examples, ExampleSettings
from .closed_form import begin_directly
from .contrast import LossSettings
from .gauss_newton import Patches, basin, descended, draw_patches, gauss_newton
from .multicontrast import load_contrasts
from .random_numbers import step_generator
from .run import RunSettings, begin, learn
from .synthesis import look
from .views import ViewSettings, draw_views
from .volumes import Source, load_sources


@dataclass(frozen=True)
class PlaceLoss:
    """Settings of the loss.

    Attributes:
        patches: of 14 mm, in which Gauss-Newton steps are made.
        farthest: voxels (2 mm) that a step may have to go. Coarser levels and the find vectors bring the field so near;
            with 3 the head learned a wide basin and forgot to rest (0.17 to 0.35 voxels in 300 steps).
        basin: weight of the cross-entropy over displaced places.
        places: wrong places that a patch is compared at, 1.5 to 6 voxels away.
        compared: patches for that.
        descended: steps of the head's own after which the loss is asked, at most; as many are drawn for each example,
            0 among them.
    """

    patches: int = 72
    farthest: float = 1.0
    basin: float = 0.1
    places: int = 16
    compared: int = 32
    descended: int = 4


@dataclass(frozen=True)
class PlaceTrainingSettings(RunSettings):
    """A run that learns to place.

    Attributes:
        source_spacing: mm of the lattice the sources are kept on.
    """

    learning_rate: float = 1e-3
    average: float = 0.997
    head: PlaceSettings = field(default_factory=PlaceSettings)
    examples: ExampleSettings = field(default_factory=lambda: ExampleSettings(views=ViewSettings(size=48)))
    loss: PlaceLoss = field(default_factory=PlaceLoss)
    source_spacing: float = 1.5


def train_place(
    data: Path,
    out: Path,
    find: Weights,
    settings: PlaceTrainingSettings,
    progress: Progress = silent,
    *,
    labelmaps: Path | None = None,
    init: Path | None = None,
    resume: bool = False,
) -> Path:
    """Train the place head beside the find network, and return the path of the averaged weights.

    Args:
        data: folder of NIfTI volumes; files ``person_part_contrast`` of one person serve as views of each other.
        find: the trained find network; never changed.
        init: tensors (``.safetensors``) to begin from; without, the direct path begins in closed form
            (:mod:`dsir.training.closed_form`).
        resume: go on from ``out``'s checkpoint.
    """
    begin(out, settings, resume=resume)
    tell = lambda name: progress("reading", 0.0, f"reading {name}")  # noqa: E731
    sources = load_sources(data, labelmaps, settings.source_spacing, tell)
    contrasts = load_contrasts(data, settings.source_spacing, tell) if settings.examples.contrasts else []
    task = Placing(settings, PlaceExamples(sources, contrasts, settings), find)
    torch.manual_seed(settings.seed)
    head = PlaceHead(settings.head)
    if init:
        head.load_state_dict(load_file(init), strict=False)
    elif not resume:
        tell("what the relations place best")
        begin_directly(head, task.examples)
    return learn(task, settings, head, out, progress, resume=resume)


@dataclass(frozen=True, eq=False)
class PlaceExample:
    """Two views (n, n, n) and the patches in which they are compared."""

    first: torch.Tensor
    second: torch.Tensor
    displaced: Patches
    fitting: Patches
    shifts: torch.Tensor
    steps: int


class PlaceExamples:
    """Draws examples; each depends on the seed and its number alone."""

    def __init__(
        self, sources: list[Source], contrasts: list[tuple[Source, ...]], settings: PlaceTrainingSettings
    ) -> None:
        self.settings = settings
        self.examples = Examples(sources, settings.examples, LossSettings(), settings.seed, contrasts)

    def draw(self, number: int) -> PlaceExample:
        """The example of this number.

        Raises:
            DsirError: no draw of views overlaps.
        """
        generator = step_generator(self.settings.seed, number)
        for _ in range(DRAWS):
            example = self._draw(generator)
            if example.displaced.offset.shape[1] >= 8 and example.fitting.offset.shape[1] >= 4:
                return example
        raise DsirError(f"None of {DRAWS} pairs of views showed the same tissue; are the volumes nearly empty?")

    def _draw(self, generator: torch.Generator) -> PlaceExample:
        settings = self.settings
        drawn = self.examples.drawn(generator)
        sources = drawn.sources
        views = replace(settings.examples.views, offset=0.2)
        first, second = draw_views(sources[0].body, sources[0].spacing, views, generator)
        here, there = (look(s, v, drawn.synthesis, generator) for s, v in zip(sources, (first, second), strict=True))
        loss, body = settings.loss, sources[0].body
        displaced = draw_patches(first, second, body, loss.patches, loss.farthest, generator)
        fitting = draw_patches(first, second, body, loss.compared, 0.0, generator)
        shifts = self._shifts(displaced.towards, generator)
        steps = int(torch.randint(0, loss.descended + 1, (1,), generator=generator))
        return PlaceExample(here, there, displaced, fitting, shifts, steps)

    def _shifts(self, towards: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """(3, K) voxels of the second view: the wrong places."""
        count = self.settings.loss.places
        direction = F.normalize(torch.randn(3, count, generator=generator), dim=0)
        length = 1.5 + 4.5 * torch.rand(count, generator=generator)
        return towards @ (direction * length)


class Placing:
    """A step from a displaced start lands on the truth; a :class:`dsir.training.run.Task`."""

    facts: tuple[str, ...] = ("rest", "error", "inside", "hits")

    def __init__(self, settings: PlaceTrainingSettings, examples: PlaceExamples, find: Weights) -> None:
        self.settings, self.examples, self.sha256 = settings, examples, find.sha256
        self.find = MasrNet(find.settings)
        self.find.load_state_dict(find.tensors)
        self.find.eval().requires_grad_(False)

    def draw(self, number: int) -> PlaceExample:
        return self.examples.draw(number)

    def loss(self, model: nn.Module, example: PlaceExample) -> tuple[torch.Tensor, dict[str, float]]:
        settings = self.settings.loss
        device = next(model.parameters()).device
        self.find.to(device)
        here, there = (self._described(model, view.to(device)) for view in (example.first, example.second))
        head = cast(PlaceHead, model.module if hasattr(model, "module") else model)
        patches = descended(here, there, example.displaced.to(device), example.steps)
        step = gauss_newton(here, there, patches, head.log_precision)
        loss, hits = step.loss, 0.0
        if settings.basin:
            crossed, hits = basin(
                here, there, example.fitting.to(device), example.shifts.to(device), head.log_sharpness
            )
            loss = loss + settings.basin * crossed
        found = {"rest": step.rest, "error": step.error, "inside": step.inside, "hits": hits}
        return loss, {k: 0.0 if v != v else v for k, v in found.items()}

    def _described(self, model: nn.Module, view: torch.Tensor) -> torch.Tensor:
        volume, context = view[None, None], None
        if self.settings.head.context:
            half = has_bfloat16(view.device)  # emulated, where there are no units for it: nine tenths of a step
            with torch.no_grad(), torch.autocast(view.device.type, torch.bfloat16, enabled=half):
                context = every_second(self.find, volume)
        return model(volume, context)[0]

    def write(self, path: Path, network: nn.Module, provenance: dict[str, object]) -> None:
        spacing = self.settings.examples.views.spacing
        write_place(path, network, self.settings.head, {**provenance, "spacing": spacing, "find": self.sha256})


def every_second(find: MasrNet, volume: torch.Tensor) -> torch.Tensor:
    """Find vectors (N, C, I, J, K) of a volume of which the network sees every second voxel; interpolated between.

    An eighth of the work, which was most of a step. What a voxel is changes slowly, and a head that was trained beside
    these places better beside the vectors of every voxel, too (measured: Docs/measurements/model.md).
    """
    vectors = double(find(thinned(F.pad(volume, [1] * 6, mode="replicate"))))
    rows, columns, planes = volume.shape[2:]
    return F.normalize(vectors[:, :, :rows, :columns, :planes], dim=1)
