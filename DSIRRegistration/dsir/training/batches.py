"""One training example: two views of one source and the positions that correspond."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .contrast import LossSettings
from .draws import chance, step_generator, uniform
from .synthesis import SynthesisSettings, look
from .tissue import brain
from .views import ViewSettings, corresponding, draw_views
from .volumes import Source, clusters, shapes


@dataclass(frozen=True)
class Mixture:
    """How often each kind of source is drawn (relative weights); kinds that are not there are left out."""

    scan: float = 0.3
    labels: float = 0.4
    clusters: float = 0.2
    shapes: float = 0.1


@dataclass(frozen=True)
class ExampleSettings:
    """Everything that shapes an example."""

    views: ViewSettings = field(default_factory=ViewSettings)
    synthesis: SynthesisSettings = field(default_factory=SynthesisSettings)
    mixture: Mixture = field(default_factory=Mixture)


@dataclass(frozen=True, eq=False)
class Example:
    """Two views (n, n, n) and the voxels (3, N) in each that show the same points."""

    kind: str
    first: torch.Tensor
    second: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor


class Examples:
    """Draws examples; the example of a step depends on the seed and the step alone."""

    def __init__(self, sources: list[Source], settings: ExampleSettings, loss: LossSettings, seed: int) -> None:
        self.settings, self.loss, self.seed = settings, loss, seed
        generator = step_generator(seed, -1)
        scans = [s for s in sources if s.kind == "scan"]
        spacing = min(s.spacing for s in sources)
        self.kinds = {
            "scan": _groups(scans),
            "labels": _groups([s for s in sources if s.kind == "labels"]),
            "clusters": _groups([clusters(s, generator) for s in scans]),
            "shapes": _groups([shapes(128, spacing, generator) for _ in range(12 if settings.mixture.shapes else 0)]),
        }

    def draw(self, step: int) -> Example:
        """The example of this step."""
        generator = step_generator(self.seed, step)
        kind, source = self._source(generator)
        first, second = draw_views(source.body, source.spacing, self.settings.views, generator)
        synthesis = self.settings.synthesis
        hidden = [kind == "labels" and chance(synthesis.hidden, generator) for _ in range(2)]
        looks = [
            look(source, view, synthesis, generator, hidden=h) for view, h in zip((first, second), hidden, strict=True)
        ]
        visible = brain(source) if any(hidden) else source.body
        a, b = corresponding(first, second, visible, self.loss.positions, generator, near=self.loss.near)
        return Example(kind, looks[0], looks[1], a, b)

    def _source(self, generator: torch.Generator) -> tuple[str, Source]:
        weights = {kind: getattr(self.settings.mixture, kind) for kind, groups in self.kinds.items() if groups}
        at = uniform(0, sum(weights.values()), generator)
        for kind, weight in weights.items():  # noqa: B007 - the last kind is the answer if rounding runs past the end
            at -= weight
            if at < 0:
                break
        groups = self.kinds[kind]
        group = groups[int(torch.randint(0, len(groups), (1,), generator=generator))]
        return kind, group[int(torch.randint(0, len(group), (1,), generator=generator))]


def _groups(sources: list[Source]) -> list[list[Source]]:
    names = sorted({s.group for s in sources})
    return [[s for s in sources if s.group == name] for name in names]
