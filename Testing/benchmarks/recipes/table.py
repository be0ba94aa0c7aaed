"""What DSIR does for other people's registration programs: each with its own metric and with DSIR, in one table.

    python Testing/benchmarks/recipes/table.py --cases icbm152 brain_t1_t2 --out runs/recipes

Needs the peers' environment (``peers_environment.sh``). Seconds are those of the program's whole process, without those
of ``dsir features``. Rows that are in ``--out`` already are kept, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "DSIRRegistration"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from catalogue import KNOWN, build
from dsir.evaluation.cases import Case
from dsir.evaluation.demo import demo_case
from peer_methods import Method, run_method
from peer_table import as_screen_table
from peers import EMBEDDED, PROJECT, scored, write, write_pair
from scoring import identity_score

SCALARS = ("--components", "4", "--separate")
"""For programs that compare scalar images: four of sixteen, one file each."""

RECIPES: dict[str, tuple[Method, tuple[str, ...] | None]] = {
    "ANTs SyN, MI": (Method("recipes/with_ants.py", "mattes", "ants"), None),
    "ANTs SyN, DSIR": (Method("recipes/with_ants.py", "dsir", "ants"), SCALARS),
    "elastix, MI": (Method("recipes/with_elastix.py", "mattes", "itk"), None),
    "elastix, DSIR": (Method("recipes/with_elastix.py", "dsir", "itk"), SCALARS),
    "ConvexAdam, MIND": (Method("recipes/with_convexadam.py", "mind", "convexAdam"), None),
    "ConvexAdam, DSIR": (Method("recipes/with_convexadam.py", "dsir", "convexAdam"), ()),
    "ConvexAdam, both": (Method("recipes/with_convexadam.py", "mind+dsir", "convexAdam"), ()),
}
"""Name to the method and how ``dsir features`` is asked for what it reads (None: it reads nothing of ours)."""


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    rows: list[dict[str, Any]] = _kept(options.out)
    for name in options.cases:
        case = demo_case() if name == EMBEDDED else build(name, options.data)
        for row in measure(case, options.recipes, options.threads, _done(rows, case.name), console):
            rows.append(row)
            write(options.out, rows, options.threads)
    console.print(as_screen_table(rows))
    return 0


def measure(case: Case, names: list[str], threads: int, done: set[str], console: Console) -> Iterator[dict[str, Any]]:
    """One row for the start and one for each recipe that is not ``done``."""
    if "start" not in done:
        yield {"case": case.name, "method": "start", **identity_score(case)}
    with tempfile.TemporaryDirectory() as folder:
        fixed, moving = write_pair(case, Path(folder))
        written: dict[tuple[str, ...], list[Path]] = {}
        for n, name in enumerate(names):
            method, form = RECIPES[name]
            if name in done:
                continue
            if method.missing():
                console.print(f"{name} is left out: {method.missing()}.", highlight=False, soft_wrap=True)
                continue
            if form is not None and form not in written:
                written[form] = described(fixed, moving, Path(folder) / f"features{n}", form, threads)
            work = Path(folder) / str(n)
            work.mkdir()
            further = () if form is None else ("--features", *map(str, written[form]))
            run = run_method(method, fixed, moving, work, threads=threads, further=further)
            row = {"case": case.name, "method": name, **scored(case, run)}
            console.print({key: row.get(key) for key in ("case", "method", "epe_mean", "cpu_s", "error")})
            yield row


def described(fixed: Path, moving: Path, folder: Path, form: tuple[str, ...], threads: int) -> list[Path]:
    """What ``dsir features`` writes of the pair, as a user would call it."""
    folder.mkdir()
    out = [folder / "fixed.nii.gz", folder / "moving.nii.gz"]
    command = [sys.executable, "-m", "dsir", "features", "--input", fixed, moving, "--out", *out]
    command += ["--descriptor", "dsir", "--masked", *form, "--threads", threads, "--quiet"]
    path = os.pathsep.join([str(PROJECT / "DSIRRegistration"), os.environ.get("PYTHONPATH", "")])
    subprocess.run([str(word) for word in command], check=True, env={**os.environ, "PYTHONPATH": path})
    return out


def _kept(out: Path) -> list[dict[str, Any]]:
    """The rows of an earlier run that did not fail."""
    file = out / "peers.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
    return [row for row in rows if "error" not in row]


def _done(rows: list[dict[str, Any]], case: str) -> set[str]:
    return {row["method"] for row in rows if row["case"] == case}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [EMBEDDED, *KNOWN]
    parser.add_argument(
        "--cases", nargs="+", choices=known, default=["brain_t1_t2", "head_t1", EMBEDDED], metavar="CASE"
    )
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES), metavar="RECIPE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data" / "cases", help="scans")
    parser.add_argument(
        "--out", type=Path, default=PROJECT / "runs" / "recipes", help="folder for peers.json, peers.md"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
