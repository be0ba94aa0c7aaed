"""One training example: two views of one anatomy and the positions that correspond.

Mostly the views are of one scan under two made-up contrasts; where one person was scanned in several real contrasts
(:mod:`.multicontrast`), a share of the examples shows two of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from ..errors import DsirError
from .contrast import LossSettings
from .placing import patches
from .random_numbers import chance, step_generator, uniform
from .synthesis import SynthesisSettings, look
from .tissue import brain
from .views import View, ViewSettings, corresponding, draw_views
from .volumes import Source, clusters, shapes

ENOUGH = 32
"""Corresponding positions below which an example is not worth a step."""

DRAWS = 50
"""How often views are drawn for one example before we give up."""


@dataclass(frozen=True)
class Mixture:
    """How often each kind of source is drawn (relative weights); kinds that are not there are left out."""

    scan: float = 0.35
    labels: float = 0.35
    clusters: float = 0.2
    shapes: float = 0.1


@dataclass(frozen=True)
class ExampleSettings:
    """Everything that shapes an example.

    Attributes:
        contrasts: probability that the two views show one person in two real contrasts, where there are such scans.
    """

    views: ViewSettings = field(default_factory=ViewSettings)
    synthesis: SynthesisSettings = field(default_factory=SynthesisSettings)
    mixture: Mixture = field(default_factory=Mixture)
    contrasts: float = 0.2


@dataclass(frozen=True, eq=False)
class Drawn:
    """What an example is to show: the source of each view, both on one lattice, and how wild their looks are."""

    kind: str
    sources: tuple[Source, Source]
    synthesis: SynthesisSettings


@dataclass(frozen=True, eq=False)
class Example:
    """Two views (n, n, n) and the voxels (3, N) in each that show the same points.

    ``sources`` and ``views`` say what of and how they were cut, ``patches`` (3, P, V) where the placing loss looks.
    """

    sources: tuple[Source, Source]
    views: tuple[View, View]
    first: torch.Tensor
    second: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    patches: tuple[torch.Tensor, torch.Tensor]


class Examples:
    """Draws examples; each depends on the seed and its number alone."""

    def __init__(
        self,
        sources: list[Source],
        settings: ExampleSettings,
        loss: LossSettings,
        seed: int,
        contrasts: Sequence[tuple[Source, ...]] = (),
    ) -> None:
        self.settings, self.loss, self.seed, self.contrasts = settings, loss, seed, contrasts
        generator = step_generator(seed, -1)
        scans = [s for s in sources if s.kind == "scan"]
        spacing = min(s.spacing for s in sources)
        self.kinds = {
            "scan": _groups(scans),
            "labels": _groups([s for s in sources if s.kind == "labels"]),
            "clusters": _groups([clusters(s, generator) for s in scans]),
            "shapes": _groups([shapes(128, spacing, generator) for _ in range(12 if settings.mixture.shapes else 0)]),
        }

    def draw(self, number: int) -> Example:
        """The example of this number; views that hardly overlap tell nothing and are drawn again.

        Raises:
            DsirError: no draw overlaps, as when the views are far larger than the volumes.
        """
        generator = step_generator(self.seed, number)
        for _ in range(DRAWS):
            example = self._draw(generator)
            if example.a.shape[1] >= ENOUGH:
                return example
        raise DsirError(f"None of {DRAWS} pairs of views showed the same tissue; are the volumes nearly empty?")

    def _draw(self, generator: torch.Generator) -> Example:
        drawn = self.drawn(generator)
        here = drawn.sources[0]
        first, second = draw_views(here.body, here.spacing, self.settings.views, generator)
        labels = drawn.kind == "labels"
        hidden = [labels and chance(drawn.synthesis.hidden, generator) for _ in range(2)]
        looks = [
            look(source, view, drawn.synthesis, generator, hidden=h)
            for source, view, h in zip(drawn.sources, (first, second), hidden, strict=True)
        ]
        visible = brain(here) if any(hidden) else here.body
        a, b = corresponding(first, second, visible, self.loss.positions, generator, near=self.loss.near)
        cubes = patches(first, second, visible, self.loss.patches, generator)
        return Example(drawn.sources, (first, second), looks[0], looks[1], a, b, cubes)

    def drawn(self, generator: torch.Generator) -> Drawn:
        """One source for both views, by the mixture's weights, or one person in two real contrasts."""
        synthesis = self.settings.synthesis
        if self.contrasts and chance(self.settings.contrasts, generator):
            person = self.contrasts[int(torch.randint(0, len(self.contrasts), (1,), generator=generator))]
            one, other = torch.randperm(len(person), generator=generator)[:2].tolist()
            # Their contrasts are real already: curves that keep the order, seldom two of them in one view.
            synthesis = replace(synthesis, mixed=0.0, local=0.1, monotone=1.0)
            return Drawn("contrasts", (person[one], person[other]), synthesis)
        kind, source = self._single(generator)
        return Drawn(kind, (source, source), synthesis)

    def _single(self, generator: torch.Generator) -> tuple[str, Source]:
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
