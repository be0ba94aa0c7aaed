"""Contour propagation: what is lost on the way, and what each organ looks like after a real registration.

    python Testing/benchmarks/propagation.py known                       # RTSTRUCT there and back; thick slices
    python Testing/benchmarks/propagation.py cases --methods ours-mind convexadam ants-synra --out runs/propagation

``known`` needs RTSTRUCTs (``--data/rt``) for its first part only. ``cases`` registers planning scans of two persons,
a CT to an MR of two persons, and a planning scan to a deformed copy of itself, by each method, and carries the organs
by the same pull-back, so that only the registrations differ. The organs of different persons never agree as those of
one person would. A second table holds the reference contours back and asks whether the lights turn where it is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.reports.structures.verdicts import write_verdicts
from dsir.structures.confidence_map import measure_confidence
from dsir.structures.propagate import propagate
from dsir.structures.tables import row
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from peer_methods import METHODS, run_method
from propagation_cases import CASES, FOLDERS, read_case
from propagation_known import round_trip, thick_slices
from propagation_lights import blind, lights_table

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT = ["ours-mind", "convexadam", "ants-synra"]
START = "start"
FIGURES = ("dice", "surface_dice", "hd95_mm", "surface_distance_mm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    if options.part == "known":
        known(options.data / "rt", console)
    else:
        for case in options.cases:
            folder = options.data / "cases" / FOLDERS.get(case, case)
            if not folder.is_dir():
                console.print(f"{case} is left out: there is no folder {folder}.")
                continue
            rows = by_structure(case, options, console)
            console.print(_table(case, rows, [START, *options.methods]))
            console.print(lights_table(rows, f"{case}: lights without reference"))
    return 0


def known(folder: Path, console: Console) -> None:
    """Print both tables of known answers."""
    table = Table(
        "RTSTRUCT", "pixel mm", "mean px", "p99 px", "added px", "lost px", "solid px", "surface Dice 2 mm", "Dice"
    )
    for patient in sorted(p for p in folder.glob("*") if p.is_dir()):
        r = round_trip(patient)
        lengths = (r.pixel_mm, r.mean_px, r.p99_px, r.added_px, r.lost_px, r.solid_px)
        table.add_row(r.name, *(f"{v:.3f}" for v in lengths), f"{r.surface_dice:.4f}", f"{r.dice:.4f}")
    if table.row_count:
        console.print(table)
    else:
        console.print(f"No RTSTRUCTs in {folder}; the round trip is left out.")
    table = Table("5 mm slices, 25 degrees oblique", "Dice", "surface Dice 2 mm", "mean distance mm")
    for name, scores in thick_slices().items():
        table.add_row(name, *(f"{v:.3f}" for v in scores))
    console.print(table)


def by_structure(name: str, options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """One row for each method and structure."""
    case = read_case(name, options.data / "cases")
    fixed, moving, source, reference = case.fixed, case.moving, case.source, case.reference
    rows = []
    for method in (START, *options.methods):
        vectors = case.start.view(3, 1, 1, 1).expand(3, *fixed.lattice.shape).clone()
        if method != START:
            found = _kept(options, name, method, fixed, moving, case.start, console)
            if found is None:
                continue
            vectors += found
        transform = Transform((DisplacementField(vectors, fixed.lattice),))
        sure = None
        if options.descriptor:
            sure = measure_confidence(fixed, moving, transform, descriptor=options.descriptor)
        result = propagate(source, transform, fixed.lattice, reference=reference, confidence=sure)
        for verdict in result.verdicts:
            if verdict.measures.dice is not None:
                unaided = blind(verdict, float(fixed.lattice.spacing[2]))
                said = {"blind": unaided.light.name.lower(), "blind_reasons": " ".join(unaided.reasons)}
                rows.append({"case": name, "method": method, **row(verdict), **said})
        if options.out:  # after each method, so that an early end loses little
            options.out.mkdir(parents=True, exist_ok=True)
            if method == options.methods[0]:
                page = options.out / f"{name}_{method}.html"
                write_verdicts(page, result, fixed, moving, remarks=result.remarks)
            (options.out / f"{name}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        console.print(
            f"{name} {method}: mean Dice {_figure(_mean([r['dice'] for r in rows if r['method'] == method]))}"
        )
    return rows


def _kept(
    options: argparse.Namespace,
    case: str,
    method: str,
    fixed: Image,
    moving: Image,
    shift: torch.Tensor,
    console: Console,
) -> torch.Tensor | None:
    """u (3, I, J, K) of a method, made or, with ``--fields``, taken from the run that made it."""
    file = options.fields / f"{case}_{method}.npy" if options.fields else None
    if file and file.is_file():
        return torch.from_numpy(np.load(file).astype(np.float32))
    reason = METHODS[method].missing()
    found = None if reason else _registered(method, fixed, moving, shift, options.threads)
    if found is None:
        console.print(f"{case} {method} is left out: {reason or 'it failed'}.", soft_wrap=True)
    elif file:
        options.fields.mkdir(parents=True, exist_ok=True)
        np.save(file, found.numpy().astype(np.float16))
    return found


def _registered(method: str, fixed: Image, moving: Image, shift: torch.Tensor, threads: int) -> torch.Tensor | None:
    """u (3, I, J, K) of a method, which sees the moving image shifted by ``-shift``."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        begun = Linear(_shifted(-shift.numpy()))
        lattice = Lattice(moving.lattice.shape, begun.matrix @ moving.lattice.affine)
        for role, image, grid in (("fixed", fixed, fixed.lattice), ("moving", moving, lattice)):
            nibabel.save(nibabel.Nifti1Image(image.data.numpy(), grid.affine), folder / f"{role}.nii.gz")
        (folder / "work").mkdir()
        run = run_method(
            METHODS[method], folder / "fixed.nii.gz", folder / "moving.nii.gz", folder / "work", threads=threads
        )
    if run.displacement is None:
        return None
    return torch.from_numpy(run.displacement).permute(3, 0, 1, 2).contiguous()


def _shifted(by: np.ndarray) -> np.ndarray:
    """(4, 4) of a shift in mm."""
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def _table(case: str, rows: list[dict[str, Any]], methods: Sequence[str]) -> Table:
    """Structures down, methods across: Dice / surface Dice / HD95 / mean distance."""
    shown = [m for m in methods if any(r["method"] == m for r in rows)]
    table = Table(
        "structure",
        *shown,
        title=f"{case}: Dice / surface Dice 2 mm / HD95 mm / mean distance mm",
        title_justify="left",
    )
    for structure in dict.fromkeys(r["name"] for r in rows):
        cells = []
        for method in shown:
            values = next(r for r in rows if r["method"] == method and r["name"] == structure)
            cells.append(" / ".join(_figure(values[key]) for key in FIGURES))
        table.add_row(structure, *cells)
    means = []
    for method in shown:
        mine = [r for r in rows if r["method"] == method]
        means.append(" / ".join(_figure(_mean([r[key] for r in mine])) for key in FIGURES))
    table.add_section()
    table.add_row("mean", *means)
    return table


def _mean(values: list[float | None]) -> float | None:
    known_ones = [v for v in values if v is not None]
    return sum(known_ones) / len(known_ones) if known_ones else None


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("known", "cases"))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=DEFAULT, metavar="METHOD")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data", help="folder of scans")
    parser.add_argument("--descriptor", help="measure the confidence by it, too, and let it speak in the lights")
    parser.add_argument("--fields", type=Path, help="folder that keeps the registrations, to judge them again")
    parser.add_argument("--out", type=Path, help="folder for the figures and for the first method's reports")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
