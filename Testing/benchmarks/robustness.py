"""Bad starts: shifted by 40 mm, turned by 20 degrees, half of the moving image missing.

    python Testing/benchmarks/robustness.py --descriptor mind --out runs

Each must end within two voxels of what the good start gives, or the report must say that it failed. Exits 1 where one
does neither. ``icbm152`` needs the nilearn package only; the other cases need a folder of public scans (``--data``).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, build
from dsir.evaluation.cases import Case
from dsir.evaluation.demo import demo_case
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.linear import Linear

PROJECT = Path(__file__).resolve().parents[2]
EMBEDDED = "icbm152"
SHIFT = 40.0 * np.array([2.0, -1.0, 2.0]) / 3
"""mm; 40 in length, along no axis."""

TURN, AXIS = 20.0, np.array([1.0, 2.0, 3.0]) / 14**0.5
"""Degrees, about no axis of either image."""

ALLOWED = 2.0
"""Voxels of the fixed image by which a bad start may end elsewhere than the good one, in the mean."""

HEADS = (
    "case", "start", "EPE before", "EPE mm", "p95", "from good mm", "voxels", "p95 voxels", "within 1 voxel",
    "similarity", "folds", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Start:
    """One way in which the moving image can lie.

    Attributes:
        name: for the table.
        moving: the image with another position, or less of it.
        placed: (4, 4) RAS mm: from where the moving image truly lies to where its header says.
    """

    name: str
    moving: Image
    placed: Linear


@dataclass(frozen=True)
class Row:
    """What came of one start. Distances in mm over the fixed body, where it has a counterpart in the moving image.

    Attributes:
        before, epe, epe95: end-point error against the truth: of no registration; mean; 95th percentile.
        apart, apart95: distance to where the good start sends the same points: mean, 95th percentile.
        near: share of the points that end within one voxel of it.
        voxel: mm, of the fixed image (cube root of the volume).
        similarity: at the end, by the report.
        warnings: of the report.
    """

    case: str
    start: str
    before: float
    epe: float
    epe95: float
    apart: float
    apart95: float
    near: float
    voxel: float
    similarity: float
    folds: int
    seconds: float
    warnings: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """``agrees``, ``says so`` (the report warns of failure) or ``silent``."""
        if self.apart <= ALLOWED * self.voxel:
            return "agrees"
        return "says so" if any("failed" in warning for warning in self.warnings) else "silent"

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of :data:`HEADS`."""
        lengths = (self.before, self.epe, self.epe95, self.apart, self.apart / self.voxel, self.apart95 / self.voxel)
        return (
            self.case,
            self.start,
            *(f"{length:.2f}" for length in lengths),
            f"{100 * self.near:.0f} %",
            f"{self.similarity:.2f}",
            str(self.folds),
            self.verdict,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    settings = preset(options.preset, descriptor=options.descriptor, device="cpu", threads=options.threads)
    rows: list[Row] = []
    for name in options.cases:
        if name != EMBEDDED and not options.data.is_dir():
            console.print(f"{name} is left out: there is no folder {options.data}.", soft_wrap=True)
            continue
        case = demo_case(seed=options.seed) if name == EMBEDDED else build(name, options.data, seed=options.seed)
        for row in measure(case, settings):
            rows.append(row)
            console.print(" ".join(row.cells), f"({row.seconds:.0f} s)", *row.warnings, highlight=False)
            if options.out:
                _write(options.out, rows, settings)
    console.print(_table(rows))
    return int(any(row.verdict == "silent" for row in rows))


def measure(case: Case, settings: RegistrationSettings) -> Iterator[Row]:
    """Each start of a case, the good one first."""
    lattice = case.fixed.lattice
    points = lattice.to_world(torch.nonzero(case.body).numpy()[::7])
    truth = points + case.truth.at(points)
    good = None
    for start in starts(case):
        began = time.perf_counter()
        result = register(case.fixed, start.moving, settings)
        seconds = time.perf_counter() - began
        found = start.placed.inverse().transform_points(result.transform.transform_points(points))
        good = found if good is None else good
        # A counterpart within the moving image, at its true place.
        seen = start.moving.lattice.contains(start.placed.transform_points(truth))
        before = np.linalg.norm(start.placed.transform_points(truth) - points, axis=1)[seen]
        error = np.linalg.norm(found - truth, axis=1)[seen]
        apart = np.linalg.norm(found - good, axis=1)[seen]
        voxel = float(np.prod(lattice.spacing) ** (1 / 3))
        yield Row(
            case=case.name,
            start=start.name,
            before=float(before.mean()),
            epe=float(error.mean()),
            epe95=float(np.quantile(error, 0.95)),
            apart=float(apart.mean()),
            apart95=float(np.quantile(apart, 0.95)),
            near=float((apart <= voxel).mean()),
            voxel=voxel,
            similarity=result.report["similarity"]["end"],
            folds=result.report["folds"],
            seconds=seconds,
            warnings=tuple(result.report["warnings"]),
        )


def starts(case: Case) -> Iterator[Start]:
    """The good one, then the bad ones."""
    moving = case.moving
    yield Start("good", moving, Linear(np.eye(4)))
    shift = np.eye(4)
    shift[:3, 3] = SHIFT
    yield _placed("shifted 40 mm", moving, shift)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_rotvec(TURN * AXIS, degrees=True).as_matrix()
    turn[:3, 3] = moving.lattice.centre - turn[:3, :3] @ moving.lattice.centre
    yield _placed("turned 20 degrees", moving, turn)
    for name, axis, side in (("upper half only", 2, 1), ("left half only", 0, -1)):
        yield Start(name, half(moving, axis, side), Linear(np.eye(4)))


def _placed(name: str, moving: Image, matrix: np.ndarray) -> Start:
    return Start(
        name, Image(moving.data, Lattice(moving.lattice.shape, matrix @ moving.lattice.affine)), Linear(matrix)
    )


def half(image: Image, axis: int, side: int) -> Image:
    """The half of an image on one side (+1 or -1) of a RAS axis, cut through the middle of what it shows."""
    columns = image.lattice.directions[axis]
    dim = int(np.abs(columns).argmax())
    filled = torch.nonzero(body_mask(image))[:, dim]
    middle = int(filled.min() + filled.max()) // 2
    upper = (columns[dim] > 0) == (side > 0)
    start, stop = (middle, image.data.shape[dim]) if upper else (0, middle)
    shape = [*image.data.shape]
    shape[dim] = stop - start
    offset = np.zeros(3, dtype=int)
    offset[dim] = start
    return Image(image.data.narrow(dim, start, stop - start), image.lattice.window(offset, tuple(shape)))


def _table(rows: list[Row]) -> Table:
    table = Table()
    for n, head in enumerate(HEADS):
        table.add_column(head, justify="left" if n < 2 else "right")
    for n, row in enumerate(rows):
        table.add_row(*row.cells, end_section=n + 1 == len(rows) or rows[n + 1].case != row.case)
    return table


def _write(folder: Path, rows: list[Row], settings: RegistrationSettings) -> None:
    """``robustness.json`` with everything, ``robustness.md`` with the table and the warnings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "robustness.json").write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    lines = [
        f"Preset {settings.preset}, descriptor {settings.descriptor}. Distances over the fixed body, where it has a "
        f"counterpart in the moving image; voxels are those of the fixed image. Agrees: within {ALLOWED:g} voxels of "
        "the good start's result in the mean.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "|".join(["---", "---", *["---:"] * (len(HEADS) - 2)]) + "|",
        *("| " + " | ".join(row.cells) + " |" for row in rows),
        "",
        *(f"- {row.case}, {row.start}: {' '.join(row.warnings)}" for row in rows if row.warnings),
    ]
    (folder / "robustness.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=[EMBEDDED, *KNOWN], metavar="CASE",
                        default=[EMBEDDED, "brain_t1_t2", "head_t1"])  # fmt: skip
    parser.add_argument("--descriptor", default="mind")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--seed", type=int, default=0, help="of the deformations")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data" / "cases", help="scans")
    parser.add_argument("--out", type=Path, help="folder for robustness.json and robustness.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
