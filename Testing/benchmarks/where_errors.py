"""Where in the body the error of a registration lies: at its surface, or deep inside?

    python Testing/benchmarks/where_errors.py --cases head_t1 lung_contrast [--data ../shared/data/cases]

Pairs with a known deformation, default preset, one thread; the mean end-point error in shells of depth below the
body's surface, and its median. At the skin the images fix the field along the normal only; outside of it nothing does.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.ndimage import distance_transform_edt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, build
from dsir.registration.presets import preset
from dsir.registration.register import register

ROOT = Path(__file__).resolve().parents[2]
SHELLS = (0.0, 5.0, 10.0, 20.0, 40.0, np.inf)
"""mm below the surface."""


def main(arguments: list[str] | None = None) -> int:
    """Register, measure, print; exit code 0 also where the data are absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/cases", metavar="FOLDER")
    parser.add_argument("--cases", nargs="+", choices=list(KNOWN), default=["head_t1", "lung_contrast"])
    parser.add_argument("--descriptor", default="mind")
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        print(f"Nothing to measure: {options.data} is not there.")
        return 0
    table = Table("case", "mean mm", "median", *(f"{a:g}-{b:g} mm deep" for a, b in pairwise(SHELLS)))
    for name in options.cases:
        mean, median, shells = by_depth(name, options.data, options.descriptor)
        table.add_row(name, f"{mean:.2f}", f"{median:.2f}", *(f"{e:.2f} ({100 * share:.0f} %)" for e, share in shells))
    Console(width=150).print(table)
    return 0


def by_depth(name: str, data: Path, descriptor: str) -> tuple[float, float, list[tuple[float, float]]]:
    """Mean and median error in mm, and (mean error, share of the body) of each shell of :data:`SHELLS`."""
    case = build(name, data)
    settings = preset("default", descriptor=descriptor, device="cpu", threads=1)
    found = register(case.fixed, case.moving, settings).displacement(case.fixed.lattice)
    error = (found.vectors - case.truth.vectors).norm(dim=0).numpy()
    body = case.body.numpy()
    # Padded, so that a body cut by the edge of the scan has a surface there, too.
    depth = distance_transform_edt(np.pad(body, 1), sampling=case.fixed.lattice.spacing)[1:-1, 1:-1, 1:-1]
    shells = []
    for low, high in pairwise(SHELLS):
        shell = body & (depth > low) & (depth <= high)
        shells.append((float(error[shell].mean()) if shell.any() else float("nan"), float(shell.sum() / body.sum())))
    return float(error[body].mean()), float(np.median(error[body])), shells


if __name__ == "__main__":
    raise SystemExit(main())
