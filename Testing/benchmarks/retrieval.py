"""Retrieval on people who were not trained on: does a point of one modality find itself in another?

    python Testing/benchmarks/retrieval.py [--data ../shared/data] [--descriptors dsir mind cnn] [--spacing 2]

Prints, for each pair and descriptor: the share of points whose best match within +-20 mm lies within 4 mm of the truth,
mean and median distance, the mean distance within a cube of +-6 mm (sharpness), and the number of competing peaks. The
partner is displaced by 16-30 mm in its frame and warped. ``remapped`` pairs are one scan and itself under a fixed,
non-monotone curve of intensity.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from dsir.features.descriptor import Descriptor, load_descriptor  # noqa: E402
from dsir.geometry.image import Image  # noqa: E402
from dsir.geometry.lattice import Lattice  # noqa: E402
from point_retrieval import Retrieval, RetrievalSettings, retrieval  # noqa: E402


@dataclass(frozen=True)
class Pair:
    """Two volumes that lie on each other. ``body``: intensities of the fixed one above this are inside."""

    name: str
    fixed: str
    moving: str | None
    body: float


PAIRS = (
    Pair("brain T1-T2", "brain_t1_t2/fixed", "brain_t1_t2/moving", 1),
    Pair("neck T1-T2", "neck_t1_t2/fixed", "neck_t1_t2/moving", 150),
    Pair("head T1-T2", "head_ct_mr_template/moving", "head_ct_mr_template/moving_t2", 400),
    Pair("head CT-T1", "head_ct_mr_template/fixed", "head_ct_mr_template/moving", -200),
    Pair("lung CT remapped", "lung_ct/fixed", None, -980),
    Pair("abdomen CT remapped", "abdomen_ct_mr/fixed_full", None, -300),
    Pair("abdomen MR remapped", "abdomen_ct_mr/moving", None, 200),
)


def remap(volume: torch.Tensor) -> torch.Tensor:
    """A non-monotone curve: bright and dark trade places twice between the 1st and 99th percentile."""
    low, high = np.percentile(volume.numpy(), [1, 99])
    x = ((volume - float(low)) / float(high - low)).clamp(0, 1)
    return torch.cos(2.6 * torch.pi * x) - 0.4 * x


def load(path: Path, spacing: float) -> torch.Tensor:
    """(I, J, K) on an isotropic lattice."""
    file = nib.as_closest_canonical(nib.load(path))
    image = Image(torch.from_numpy(np.asarray(file.dataobj, dtype=np.float32)), Lattice(file.shape, file.affine))
    return image.on(image.lattice.with_spacing(spacing)).data


def volumes(cases: Path, pair: Pair, spacing: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Fixed, moving and the body; what either volume does not show is no body."""
    fixed = load(cases / f"{pair.fixed}.nii.gz", spacing)
    moving = remap(fixed) if pair.moving is None else load(cases / f"{pair.moving}.nii.gz", spacing)
    body = fixed > pair.body
    return fixed, moving, body if pair.moving is None else body & (moving > moving.min())


def measure(
    cases: Path, descriptors: list[Descriptor], spacing: float, settings: RetrievalSettings
) -> Iterator[tuple[str, str, Retrieval, float]]:
    """Yield (pair, descriptor, figures, seconds)."""
    for pair in PAIRS:
        fixed, moving, body = volumes(cases, pair, spacing)
        for descriptor in descriptors:
            start = time.perf_counter()
            figures = retrieval(descriptor, fixed, moving, body, spacing, settings)
            yield pair.name, descriptor.name, figures, time.perf_counter() - start


def table(rows: Iterator[tuple[str, str, Retrieval, float]], write: Callable[[str], None] = print) -> None:
    """Print figures as Markdown, line by line as they come."""
    write("| pair | descriptor | within 4 mm | mean mm | median mm | near mm | peaks | s |")
    write("|---|---|---|---|---|---|---|---|")
    for pair, name, figures, seconds in rows:
        f = asdict(figures)
        write(
            f"| {pair} | {name} | {f['right']:.2f} | {f['mean']:.1f} | {f['median']:.1f} | {f['near']:.2f} "
            f"| {f['peaks']:.1f} | {seconds:.1f} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--descriptors", nargs="+", default=["dsir", "mind", "cnn"])
    parser.add_argument("--spacing", type=float, default=2.0)
    parser.add_argument("--points", type=int, default=RetrievalSettings.points)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cases = options.data / "cases"
    if not cases.is_dir():
        print(f"No scans to measure on: {cases} does not exist.")
        return 0
    descriptors = [load_descriptor(name) for name in options.descriptors]
    settings = RetrievalSettings(points=options.points, seed=options.seed)
    table(measure(cases, descriptors, options.spacing, settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
