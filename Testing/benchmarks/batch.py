"""A batch that meets everything: 40 pairs, one of them damaged, a worker killed, the run stopped and started again.

    python Testing/benchmarks/batch.py                    # minutes; prints what became of each pair
    python Testing/benchmarks/batch.py --pairs 8 --keep runs/batch

The pairs are made here. The run is the command ``dsir batch`` in a process of its own, as a user starts it; what is
shown is read from the result folders and the tables, not from what the command says.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

import phantoms
from dsir.files.images import write_image

PROJECT = Path(__file__).resolve().parents[2]
DAMAGED = 5
"""The number of the pair whose moving scan ends early."""


def main() -> int:
    """Exit code 0 where nothing was lost and nothing was done twice."""
    options = _options()
    return within(options.keep, lambda folder: run(folder, options.pairs, options.workers))


def within(kept: Path | None, run: Callable[[Path], int]) -> int:
    """Run in a folder that stays, or in one that is gone afterwards."""
    if kept:
        return run(kept)
    with tempfile.TemporaryDirectory(prefix="dsir-batch-") as folder:
        return run(Path(folder))


def run(folder: Path, count: int, workers: int) -> int:
    """The whole story."""
    names = make(folder, count)
    out = folder / "results"
    command = [sys.executable, "-m", "dsir", "batch", str(folder / "pairs.csv"), "--out", str(out), "--json-progress"]
    command += ["--preset", "fast", "--settings", str(folder / "settings.json"), "--workers", str(workers)]
    print(f"{count} pairs, one of them damaged ({names[DAMAGED - 1]}); {workers} workers")

    kill_at, stop_at = count // 4, count // 2
    first = start(command)
    killed = None
    for done in ticks(first):
        if done == kill_at and killed is None:
            killed = kill_one(first)
            print(f"first run: worker {killed} killed (signal 9) after {done} pairs")
        if done == stop_at:
            break
    os.killpg(first.pid, signal.SIGINT)
    last_words = first.communicate()[1].strip()
    before = stamps(out, names)
    print(f"first run: stopped with Ctrl-C after {stop_at} pairs, exit code {first.returncode}: {last_words!r}")
    print(f"  results {len(before)}, table {states(out)}, half-written folders {len(list(out.glob('.*.part')))}")

    second, last_words = ended(command, folder)
    after = stamps(out, names)
    print(f"second run: exit code {second.returncode}: {last_words!r}")
    print(f"  results {len(after)}, table {states(out)}, half-written folders {len(list(out.glob('.*.part')))}")

    redone = [name for name in before if after.get(name) != before[name]]
    lost = [name for name in names if name not in after and name != names[DAMAGED - 1]]
    print(f"done twice: {redone or 'none'}; lost: {lost or 'none'}; failed: {failed(out)}")

    mend(folder, DAMAGED)
    third, _ = ended(command, folder)
    end = stamps(out, names)
    redone += [name for name in after if end.get(name) != after[name]]
    print(f"third run, the damaged scan mended: exit code {third.returncode}, table {states(out)}")
    print(f"done twice over all runs: {redone or 'none'}; results {len(end)} of {count}")
    codes = (first.returncode, second.returncode, third.returncode) == (130, 2, 0)
    return 0 if codes and killed and not redone and not lost and len(end) == count else 1


def make(folder: Path, count: int) -> list[str]:
    """The scans and their list; gives the names."""
    folder.mkdir(parents=True, exist_ok=True)
    lattice = phantoms.lattice_of((22, 25, 20), (6.0, 6.0, 6.0))
    write_image(folder / "fixed.nii.gz", phantoms.render(lattice, phantoms.dark_on_bright))
    names = [f"case {number:02d}" for number in range(1, count + 1)]
    for number in range(1, count + 1):
        mend(folder, number)
    damaged = folder / f"moving{DAMAGED:02d}.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    lines = [f"{name},fixed.nii.gz,moving{number:02d}.nii.gz" for number, name in enumerate(names, start=1)]
    (folder / "pairs.csv").write_text("\n".join(["name,fixed,moving", *lines]) + "\n")
    settings = {"spacing": 6.0, "linear": {"start": "identity"}, "discrete": {"grids": [12.0], "captures": [12.0]}}
    (folder / "settings.json").write_text(json.dumps(settings))
    return names


def mend(folder: Path, number: int) -> None:
    """The moving scan of a pair, whole: the other contrast, bent a little differently in each."""
    lattice = phantoms.lattice_of((22, 25, 20), (6.0, 6.0, 6.0))
    share = 0.3 + 0.7 * number / 40
    scan = phantoms.render(lattice, phantoms.bright_on_dark, lambda points: share * phantoms.bend(points))
    write_image(folder / f"moving{number:02d}.nii.gz", scan)


def start(command: list[str]) -> subprocess.Popen:
    """In a process group of its own, so that Ctrl-C can be sent to all of it as a terminal does."""
    python = {"PYTHONPATH": str(PROJECT / "DSIRRegistration")}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | python,
    )


def ended(command: list[str], folder: Path) -> tuple[subprocess.Popen, str]:
    """The command run to its end, and its last words, with paths from ``folder`` on."""
    batch = start(command)
    for _ in ticks(batch):
        pass
    return batch, batch.communicate()[1].strip().replace(f"{folder}{os.sep}", "")


def ticks(batch: subprocess.Popen) -> Iterator[int]:
    """How many pairs have ended, each time one does."""
    done = 0
    for line in batch.stdout:
        if json.loads(line).get("stage", "").startswith("case"):
            done += 1
            yield done


def kill_one(batch: subprocess.Popen) -> int:
    """Kill a worker that is at work, without a word."""
    time.sleep(0.5)
    workers = [p for p in psutil.Process(batch.pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
    workers[0].kill()
    return workers[0].pid


def stamps(out: Path, names: list[str], file: str = "report.json") -> dict[str, int]:
    """When each result that is there was made; the file appears last."""
    reports = {name: out / name / file for name in names}
    return {name: report.stat().st_mtime_ns for name, report in reports.items() if report.is_file()}


def states(out: Path) -> dict[str, int]:
    """How many pairs are in which state, as the table has it."""
    return dict(Counter(row["state"] for row in table(out)))


def failed(out: Path) -> dict[str, str]:
    """Why, by name."""
    return {
        row["name"]: Path(row["error"].split(" is ")[0]).name + " is " + row["error"].split(" is ", 1)[1]
        for row in table(out)
        if row["state"] == "failed"
    }


def table(out: Path) -> list[dict[str, str]]:
    """results.csv."""
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder to work in, which stays")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
