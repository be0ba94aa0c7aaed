"""What a registration of large scans takes, as a whole process: seconds, memory, and both by stage.

    python Testing/benchmarks/size.py --threads 2 --out runs
    python Testing/benchmarks/size.py --pairs "big ct" "big ct, small mr" --memory 8GB --threads 1 --out runs

The demo's brain and its partner (nilearn package), resampled to 1 mm and to 1.5 mm in 160^3 voxels; and a CT of that
size against another of its kind where there is a folder of scans (``--data``). The limits are 60 s and 3 GB on two
cores. The big pairs, 512 x 512 x 400 voxels, are a torso CT against the planning CT of another person, and that torso
against a small abdominal MR of its own; both limits are what ``--memory`` says. Wall time says something only on a
quiet machine; CPU seconds and memory do on any.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.evaluation.demo import demo_case
from dsir.files.images import read_image, write_image
from dsir.geometry.image import Image

HERE = Path(__file__).resolve().parent
SIZE = 160
LIMITS = {"wall": 60.0, "peak": 3 * 1024.0}
"""Seconds on two cores; MiB."""

PAIRS = ("brain 1 mm", "brain 1.5 mm", "ct")
CT = ("planning_ct_pair/fixed.nii.gz", "planning_ct_pair/moving.nii.gz")
BIG = {
    "big ct": ("abdomen_ct_mr/fixed_full.nii.gz", "planning_ct_pair/fixed.nii.gz"),
    "big ct, small mr": ("abdomen_ct_mr/fixed_full.nii.gz", "abdomen_ct_mr/moving.nii.gz"),
}
BIG_SHAPE = (512, 512, 400)
AIR = -1024.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; 1 where a limit is passed in memory."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows = []
    for name in options.pairs:
        if (name == "ct" or name in BIG) and not options.data.is_dir():
            console.print(f"{name} is left out: there is no folder {options.data}.", soft_wrap=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"pair": name, **measure(Path(folder), pair(name, options.data), options)})
        gc.collect()
        console.print(by_stage(rows[-1]))
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            facts = {"platform": platform.platform(), "torch": torch.__version__, "threads": options.threads}
            (options.out / "size.json").write_text(json.dumps({**facts, "rows": rows}, indent=1), encoding="utf-8")
    console.print(totals(rows, options.threads))
    return int(any(row["peak"] > _limit(row) for row in rows))


def _limit(row: dict[str, Any]) -> float:
    """MiB."""
    return row["settings"]["memory"] or (float("inf") if row["pair"] in BIG else LIMITS["peak"])


def pair(name: str, data: Path) -> tuple[Image, Image]:
    """Fixed and moving, 160^3 voxels each, or those of :data:`BIG`."""
    if name in BIG:
        fixed, moving = (read_image(data / file) for file in BIG[name])
        return _large(fixed), moving if "mr" in name else _large(moving)
    if name == "ct":
        images, spacing, outside = [read_image(data / file) for file in CT], None, AIR
    else:
        case = demo_case()
        images, spacing, outside = [case.fixed, case.moving], float(name.split()[1]), 0.0
    return tuple(_cube(image, spacing, outside) for image in images)


def _large(image: Image) -> Image:
    """The whole image in 512 x 512 x 400 voxels, the longest axis in 512."""
    order = np.argsort(np.argsort(-image.lattice.extent, kind="stable"))
    return image.on(image.lattice.with_spacing(image.lattice.extent / np.array(BIG_SHAPE)[order]))


def _cube(image: Image, spacing: float | None, outside: float) -> Image:
    """160^3 voxels about the image's middle; ``spacing`` mm, or as much as shows the whole image."""
    voxel = np.full(3, spacing) if spacing else image.lattice.extent / SIZE
    like = image.lattice.with_spacing(voxel)
    start = np.round((np.array(like.shape) - SIZE) / 2).astype(int)
    cube = image.lattice.with_spacing(voxel).window(start, (SIZE,) * 3)
    shifted = Image(image.data - outside, image.lattice).on(cube, padding="zeros")
    return Image(shifted.data + outside, cube)


def measure(folder: Path, images: tuple[Image, Image], options: argparse.Namespace) -> dict[str, Any]:
    """Run ``dsir register`` on two images, alone in its process."""
    for side, image in zip(("fixed", "moving"), images, strict=True):
        write_image(folder / f"{side}.nii.gz", image, dtype=np.int16)
    del images, image
    words = ["register", "--fixed", folder / "fixed.nii.gz", "--moving", folder / "moving.nii.gz"]
    words += ["--out", folder / "result", "--preset", options.preset, "--device", "cpu", "--json-progress"]
    words += ["--memory", options.memory] if options.memory else []
    words += ["--threads", options.threads, *(["--descriptor", options.descriptor] if options.descriptor else [])]
    command = [sys.executable, HERE / "measured.py", folder / "facts.json", sys.executable, "-m", "dsir", *words]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "DSIRRegistration")}
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        memory = _watch(process)
    if process.returncode:
        raise SystemExit(f"dsir register ended with {process.returncode}.")
    report = json.loads((folder / "result" / "report.json").read_text(encoding="utf-8"))
    return {
        **json.loads((folder / "facts.json").read_text(encoding="utf-8")),
        "settings": report["settings"],
        "lattice": report["lattice"],
        "seconds": report["seconds"],
        "memory": memory,
    }


def _watch(process: subprocess.Popen[str]) -> dict[str, float]:
    """MiB of the largest resident size in each stage the program tells of, sampled twenty times a second."""
    peaks: dict[str, float] = {"starting": 0.0}
    stage = ["starting"]
    over = threading.Event()

    def sample() -> None:
        while not over.is_set():
            peaks[stage[0]] = max(peaks.get(stage[0], 0.0), _resident(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    for line in process.stdout:
        try:
            stage[0] = json.loads(line).get("stage", stage[0])
        except ValueError:
            continue
    over.set()
    watcher.join()
    return peaks


def _resident(parent: int) -> float:
    """MiB held by the children of a process; 0 where there is no /proc."""
    total = 0.0
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for child in children:
            total += int(Path(f"/proc/{child}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return total
    return total


def by_stage(row: dict[str, Any]) -> Table:
    """Seconds and memory of each stage."""
    lattice = row["lattice"]
    shape = " x ".join(map(str, lattice["shape"]))
    table = Table("stage", title=f"{row['pair']}: described on {shape} voxels of {lattice['spacing_mm']:.2f} mm")
    table.add_column("wall s", justify="right")
    table.add_column("peak MiB", justify="right")
    names = list(dict.fromkeys([*row["memory"], *(name for name in row["seconds"] if name != "total")]))
    for name in names:
        seconds, memory = row["seconds"].get(name), row["memory"].get(name)
        table.add_row(name, "-" if seconds is None else f"{seconds:.1f}", "-" if memory is None else f"{memory:.0f}")
    return table


def totals(rows: list[dict[str, Any]], threads: int) -> Table:
    """Whole processes beside the limits."""
    table = Table("pair", title=f"dsir register, {threads} threads, whole process")
    for head in ("wall s", "limit", "CPU s", "peak MiB", "limit"):
        table.add_column(head, justify="right")
    for row in rows:
        big = row["pair"] in BIG
        wall, peak = ("-", row["settings"]["memory"] or "-") if big else (LIMITS["wall"], LIMITS["peak"])
        figures = (row["wall"], wall, row["cpu"], row["peak"], peak)
        table.add_row(row["pair"], *(figure if figure == "-" else f"{figure:.0f}" for figure in figures))
    return table


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pairs", nargs="+", choices=[*PAIRS, *BIG], default=PAIRS, metavar="PAIR", help=", ".join([*PAIRS, *BIG])
    )
    parser.add_argument("--memory", help="handed to dsir register, and the limit of the big pairs: 8GB")
    parser.add_argument("--descriptor", help="the preset's by default")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data" / "cases", help="scans")
    parser.add_argument("--out", type=Path, help="folder for size.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
