"""Which linear model each pair gets, how far it moves, how much it grows, and what the truth says of it.

    python Testing/benchmarks/models.py --data ../shared/data/cases [--preset default] [--only self] [--out runs]

A line for each pair: the linear model, shift, turn and scale of the linear part; volume of the whole mapping (mean
Jacobian determinant over the fixed body); mean and 95th percentile of its displacement in the body; seconds of the
linear stage and of all. ``truth`` is what the pair itself tells: the mean displacement where the scans are aligned
already (0 is right), the mean landmark distance, Dice of labels, or the distance from a rigid reference.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.files.images import read_image, read_labels
from dsir.files.landmarks import read_landmarks
from dsir.files.transforms import read_transform
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.registration.presets import preset
from dsir.registration.register import RegistrationResult, register
from dsir.transforms.composite import Transform
from dsir.transforms.jacobian import determinant
from dsir.workflow.measure import measure

ROOT = Path(__file__).resolve().parents[2]

ALIGNED = ("brain_stroke", "prostate_t2_adc", "head_ct_mr_template", "brain_t1_t2")
"""Scans that share positions; ``brain_t1_t2`` lies 1.3 to 1.6 mm off all the same. Nobody grows between contrasts."""

OTHERS = ("neck_t1_t2", "abdomen_ct_mr", "planning_ct_pair", "lung_ct", "porcine_ct_t2")


def body_points(fixed: Image, count: int = 20_000) -> np.ndarray:
    """(N, 3) RAS points of the fixed body."""
    index = torch.nonzero(body_mask(fixed)).numpy()
    draw = np.random.default_rng(0).permutation(len(index))[:count]
    return fixed.lattice.to_world(index[draw])


def truth(name: str, folder: Path, found: RegistrationResult, points: np.ndarray) -> tuple[str, float, float]:
    """What is known of the pair, before and after."""
    if name == "lung_ct":
        pairs = read_landmarks(folder / "landmarks.csv")
        error = [np.linalg.norm(t.transform_points(pairs.fixed) - pairs.moving, axis=1).mean() for t in both(found)]
        return "landmarks, mm", float(error[0]), float(error[1])
    if name == "porcine_ct_t2":
        right = read_transform(folder / "moving_to_fixed_rigid.tfm").inverse(
            read_image(folder / "moving.nii.gz").lattice
        )
        error = [
            np.linalg.norm(t.transform_points(points) - right.transform_points(points), axis=1).mean()
            for t in both(found)
        ]
        return "from the reference, mm", float(error[0]), float(error[1])
    if (folder / "fixed_seg.nii.gz").exists() and name not in ALIGNED:
        labels = [read_labels(folder / f"{side}_seg.nii.gz") for side in ("fixed", "moving")]
        dice = measure(found.transform, fixed_labels=labels[0], moving_labels=labels[1])["dice"]
        return "Dice", dice["before"]["mean"], dice["after"]["mean"]
    moved = np.linalg.norm(found.transform.transform_points(points) - points, axis=1)
    return "moved, mm", 0.0, float(moved.mean())


def both(found: RegistrationResult) -> tuple[Transform, Transform]:
    """Doing nothing, and the result."""
    return Transform(), found.transform


def run(name: str, folder: Path, chosen: str, changes: dict[str, Any], same: bool = False) -> dict[str, Any]:
    """Register a case; ``same``: its fixed scan to itself."""
    fixed = read_image(folder / "fixed.nii.gz")
    moving = fixed if same else read_image(folder / "moving.nii.gz")
    begun = time.process_time()
    found = register(fixed, moving, preset(chosen, **changes))
    took = time.process_time() - begun
    points = body_points(fixed)
    moved = np.linalg.norm(found.transform.transform_points(points) - points, axis=1)
    volume = determinant(found.displacement(fixed.lattice))[body_mask(fixed)].mean()
    linear = found.report["linear"]
    stretch = np.cbrt(np.linalg.det(np.array(linear["matrix"])[:3, :3]))
    said, before, after = truth("self" if same else name, folder, found, points)
    return {
        "pair": f"{name} to itself" if same else name,
        "start": linear["start"],
        "model": linear.get("model", "-"),
        "deformable": found.report.get("deformation", {}).get("kept", "-"),
        "scale %": 100 * (float(stretch) - 1),
        "volume": float(volume),
        "moved mm": float(moved.mean()),
        "p95 mm": float(np.quantile(moved, 0.95)),
        "truth": said,
        "before": before,
        "after": after,
        "similarity": found.report["similarity"]["end"],
        "linear s": found.report["seconds"]["linear"],
        "all s": took,
        "linear": linear,
        "warnings": found.report["warnings"],
    }


SHOWN: dict[str, Callable[[Any], str]] = {
    "pair": str,
    "start": str,
    "model": str,
    "deformable": str,
    "scale %": "{:+.2f}".format,
    "volume": "{:.3f}".format,
    "moved mm": "{:.2f}".format,
    "p95 mm": "{:.2f}".format,
    "truth": str,
    "before": "{:.2f}".format,
    "after": "{:.2f}".format,
    "similarity": "{:.3f}".format,
    "linear s": "{:.1f}".format,
    "all s": "{:.1f}".format,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pairs, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "cases", metavar="FOLDER")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--descriptor", help="in the place of the preset's")
    parser.add_argument("--only", nargs="*", help="pairs by name; 'self' is brain_stroke's T1 to itself")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for models.md and models.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    changes = {"threads": 1, "device": "cpu"} | ({"descriptor": options.descriptor} if options.descriptor else {})
    rows = []
    for name in options.only or (*ALIGNED, *OTHERS, "self"):
        folder = options.data / ("brain_stroke" if name == "self" else name)
        if not folder.is_dir():
            print(f"Left out: {folder} is not there.")
            continue
        rows.append(run(folder.name, folder, options.preset, changes, same=name == "self"))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    table = Table(*SHOWN, title=f"preset {options.preset}")
    lines = ["| " + " | ".join(SHOWN) + " |", "|" + "---|" * len(SHOWN)]
    for row in rows:
        cells = [show(row[name]) for name, show in SHOWN.items()]
        table.add_row(*cells)
        lines.append("| " + " | ".join(cells) + " |")
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "models.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (options.out / "models.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
