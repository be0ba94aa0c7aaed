"""DSIR Registration beside other methods, on pairs with a known answer and on real pairs.

    python Testing/benchmarks/peers.py                                        # what can run here
    python Testing/benchmarks/peers.py --cases brain_t1_t2 lung_ct --methods ours-mind convexadam --out runs/peers

Each method gets the same two files, runs in a process of its own with the same number of threads, and gives back one
displacement field, which is scored here for all alike. Seconds and memory are those of the whole process, imports
included. The case ``icbm152`` needs nothing but this project's own environment; the others need a folder of scans.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel
import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, REAL, build
from dsir.errors import DsirError
from dsir.evaluation.cases import Case
from dsir.evaluation.demo import demo_case
from dsir.geometry.lattice import Lattice
from dsir.transforms.field import DisplacementField
from peer_methods import METHODS, Run, run_method
from peer_table import as_markdown, as_screen_table
from scoring import identity_score, score

PROJECT = Path(__file__).resolve().parents[2]
EMBEDDED = "icbm152"
DEFAULT_METHODS = [name for name in METHODS if name.count("-") < 2]


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write. Exit code 0 also where there is nothing to run; a method that fails is a row that says so."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    methods = _runnable(options.methods, console)
    names = _cases(options, console)
    rows: list[dict[str, Any]] = []
    for name in names:
        for seed in options.seeds if name in KNOWN or name == EMBEDDED else [0]:
            try:
                case = demo_case(seed=seed) if name == EMBEDDED else build(name, options.data, seed=seed)
            except DsirError as error:
                console.print(f"{name} is left out: {error}", highlight=False)
                continue
            rows += measure(case, methods, threads=options.threads, console=console)
            if options.out:
                write(options.out, rows, options.threads)  # after each case, so that an early end loses little
    if rows:
        console.print(as_screen_table(rows))
    return 0


def measure(case: Case, methods: list[str], *, threads: int, console: Console) -> list[dict[str, Any]]:
    """One row for the start and one for each method."""
    rows = [{"case": case.name, "method": "start", **identity_score(case)}]
    with tempfile.TemporaryDirectory() as folder:
        fixed, moving = write_pair(case, Path(folder))
        for name in methods:
            work = Path(folder) / name
            work.mkdir()
            run = run_method(METHODS[name], fixed, moving, work, threads=threads)
            rows.append({"case": case.name, "method": name, **scored(case, run)})
            console.print(_line(rows[-1]), highlight=False)
    return rows


def write_pair(case: Case, folder: Path) -> tuple[Path, Path]:
    """The two images as NIfTI; the moving one is shifted by the case's ``start``, so that all begin from there."""
    affine = case.moving.lattice.affine.copy()
    if case.start is not None:
        affine[:3, 3] -= case.start
    fixed, moving = folder / "fixed.nii.gz", folder / "moving.nii.gz"
    nibabel.save(nibabel.Nifti1Image(case.fixed.data.numpy(), case.fixed.lattice.affine), fixed)
    nibabel.save(nibabel.Nifti1Image(case.moving.data.numpy(), affine), moving)
    return fixed, moving


def scored(case: Case, run: Run) -> dict[str, Any]:
    cost = {"cpu_s": run.cpu, "wall_s": run.wall, "peak_mib": run.peak}
    if run.displacement is None:
        return {"error": run.error, **cost}
    vectors = torch.from_numpy(run.displacement).permute(3, 0, 1, 2).contiguous()
    if not bool(torch.isfinite(vectors).all()):
        return {"error": "the field holds values that are not finite", **cost}
    if case.start is not None:
        vectors = vectors + torch.as_tensor(case.start, dtype=torch.float32).view(3, 1, 1, 1)
    lattice = Lattice(case.fixed.lattice.shape, case.fixed.lattice.affine)
    return {**score(case, DisplacementField(vectors, lattice)), **cost}


def _line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['case']}  {row['method']}: failed, {row['error']}"
    shown = {"epe_mean": "EPE {:.2f} mm", "dice_mean": "Dice {:.3f}", "tre_mean": "TRE {:.2f} mm", "folds": "folds {}"}
    facts = [text.format(row[key]) for key, text in shown.items() if row.get(key) is not None]
    return f"{row['case']}  {row['method']}: {', '.join(facts)}, {row['cpu_s']:.0f} s, {row['peak_mib']:.0f} MiB"


def write(folder: Path, rows: list[dict[str, Any]], threads: int) -> None:
    """``peers.json`` with everything, ``peers.md`` with the table."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = {"platform": platform.platform(), "python": platform.python_version(), "torch": torch.__version__}
    (folder / "peers.json").write_text(
        json.dumps({"machine": machine, "threads": threads, "rows": rows}, indent=1), encoding="utf-8"
    )
    (folder / "peers.md").write_text(as_markdown(rows, threads), encoding="utf-8")


def _runnable(names: list[str], console: Console) -> list[str]:
    found = []
    for name in names:
        reason = METHODS[name].missing()
        if reason:
            console.print(f"{name} is left out: {reason}.", highlight=False, soft_wrap=True)
        else:
            found.append(name)
    return found


def _cases(options: argparse.Namespace, console: Console) -> list[str]:
    if options.data.is_dir():
        return options.cases or [EMBEDDED, *KNOWN, *REAL]
    console.print(f"There is no folder {options.data}; only {EMBEDDED} can run.", highlight=False, soft_wrap=True)
    return [EMBEDDED] if not options.cases or EMBEDDED in options.cases else []


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=[EMBEDDED, *KNOWN, *REAL], metavar="CASE", help="all by default")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=DEFAULT_METHODS, metavar="METHOD")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the deformations")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data" / "cases", help="scans")
    parser.add_argument("--out", type=Path, help="folder for peers.json and peers.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
