"""How well descriptors place, as registration uses them: what is left of a step when the images already fit.

    python Testing/benchmarks/placing.py [--data ../shared/data] [--examples 60]

Pairs of views of the training scans whose correspondence is known are brought onto each other. In patches of 7^3 voxels
the descent's own equations are summed: H = sum g^2 of the descriptors' gradients, b = sum g r of what differs between
the views. Where the views fit, b should be nothing; |sum b| / sum H, in voxels, is by how much contrast and noise pull
the field away. Finding a place from afar (retrieval.py) is another matter: a descriptor may be good at one and poor at
the other.

"weighed": the channels turned and weighed so that they place best: directions of the largest gradient for their noise,
then each with the non-negative weight that makes the summed step least wrong (best linear estimate), fitted on every
other pair of views and measured on the rest. It shows what a linear layer behind the channels could gain.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.features.descriptor import load_descriptor
from dsir.features.dns import DnsSettings
from dsir.features.mind import Mind, MindSettings
from dsir.geometry.sampling import sample
from dsir.training.batches import ExampleSettings, Mixture
from dsir.training.closed_form import placing_directions, placing_weights, sums
from dsir.training.random_numbers import step_generator
from dsir.training.synthesis import SynthesisSettings, look
from dsir.training.views import View, ViewSettings, draw_views
from dsir.training.volumes import Source, load_sources

ROOT = Path(__file__).resolve().parents[2]
SIDE = 7
"""Voxels of a patch along each axis."""


def sets(learned: int, placed: int = 0) -> dict[str, slice]:
    """Channels of each row among all that are described: DSIR's, then MIND-SSC's of either radius."""
    return {
        "MIND-SSC, radius 1": slice(learned, learned + 12),
        "MIND-SSC, radius 2": slice(learned + 12, learned + 24),
        "MIND-SSC, both": slice(learned, learned + 24),
        "DSIR": slice(0, learned),
        "DSIR and MIND-SSC, radius 1": slice(0, learned + 12),
        **({"place head": slice(learned + 24, learned + 24 + placed)} if placed else {}),
    }


def main(arguments: list[str] | None = None) -> int:
    """Describe, fit, measure, print; exit code 0 also where the data are absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data", metavar="FOLDER")
    parser.add_argument("--descriptor", default="dsir", help="a name, or a file of weights")
    parser.add_argument("--place", type=Path, metavar="WEIGHTS", help="of a place head, for one more row")
    parser.add_argument("--examples", type=int, default=60, metavar="N", help="pairs of views")
    parser.add_argument("--patches", type=int, default=60, metavar="N", help="in each pair")
    options = parser.parse_args(arguments)
    if not (options.data / "train").is_dir():
        print(f"Nothing to measure: {options.data / 'train'} is not there.")
        return 0
    torch.set_grad_enabled(False)
    sources = [s for s in load_sources(options.data / "train", None, 1.5, lambda name: None) if s.kind == "scan"]
    placed = [load_descriptor(str(options.place))] if options.place else []
    mean = DnsSettings(radii=(2,), patch=1, subtract_minimum=True)
    descriptors = [load_descriptor(options.descriptor), Mind(), Mind(MindSettings(dns=mean)), *placed]
    pairs = [patches(sources, descriptors, number, options.patches) for number in range(options.examples)]
    pairs = [pair for pair in pairs if len(pair)]
    fitted, held = torch.cat(pairs[::2]), torch.cat(pairs[1::2])
    table = Table("channels", "as they are", "weighed")
    for name, channels in sets(descriptors[0].channels, placed[0].channels if placed else 0).items():
        turn = placing_directions(fitted[:, :, channels])
        weights = placing_weights(*sums(fitted[:, :, channels], turn))
        count = turn.shape[0]
        plain = pull(*sums(held[:, :, channels], torch.eye(count)), torch.ones(count))
        table.add_row(name, f"{plain:.3f}", f"{pull(*sums(held[:, :, channels], turn), weights):.3f}")
    Console().print(table)
    print(f"{len(fitted)} patches to fit, {len(held)} to measure; voxels (2 mm), root mean square over patches, axes")
    return 0


def patches(sources: list[Source], descriptors: list, number: int, count: int) -> torch.Tensor:
    """(N, 4, C, SIDE^3) of one pair of views: what differs, and the gradients along the three axes."""
    settings = ExampleSettings(views=ViewSettings(size=56, offset=0.35), mixture=Mixture(1, 0, 0, 0))
    generator = step_generator(7, number)
    source = sources[int(torch.randint(0, len(sources), (1,), generator=generator))]
    first, second = draw_views(source.body, source.spacing, settings.views, generator)
    looks = [look(source, view, SynthesisSettings(), generator) for view in (first, second)]
    here, there = (torch.cat([d.describe(image) for d in descriptors]) for image in looks)
    partner, seen = correspondence(first, second, source.body)
    brought = sample(there, partner, padding="border")
    both = 0.5 * (here + brought)
    parts = torch.stack([here - brought, *torch.gradient(both, dim=(1, 2, 3))])
    blocks = seen.float().unfold(0, SIDE, SIDE).unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE).flatten(3).amin(-1) > 0
    cubes = parts.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE).unfold(4, SIDE, SIDE).flatten(5)
    found = cubes[:, :, blocks].permute(2, 0, 1, 3)
    return found[torch.randperm(len(found), generator=generator)[:count]].contiguous()


def correspondence(first: View, second: View, body: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(3, n, n, n) the second view's voxel of each of the first, and (n, n, n) bool: in its inside and in the body."""
    shape = (3, *[first.size] * 3)
    points = first.grid().reshape(3, -1)
    there = second.from_source(points).reshape(shape)
    inside = ((there >= 1) & (there <= second.size - 2)).all(0)
    return there, inside & (sample(body.float()[None], points, padding="zeros").reshape(shape[1:]) > 0.5)


def pull(h: torch.Tensor, b: torch.Tensor, weights: torch.Tensor) -> float:
    """Root mean square of the summed pull over the mean curvature, voxels."""
    return float((b @ weights).square().mean().sqrt() / (h @ weights).mean())


if __name__ == "__main__":
    raise SystemExit(main())
