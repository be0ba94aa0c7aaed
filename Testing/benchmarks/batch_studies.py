"""Twenty patients with two DICOM studies each: planned, the whole batch killed in mid-run, started again, once more.

    python Testing/benchmarks/batch_studies.py                   # minutes; prints what became of each patient
    python Testing/benchmarks/batch_studies.py --patients 6 --keep runs/batch_studies

The studies are made here: scan, structure sets and doses of one made-up person, shifted; one patient's are of two
persons. The run is the command ``dsir batch --studies`` in a process of its own; it and all its workers are killed
(signal 9) when half of the patients are done. What is shown is read from the result folders and the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

import pydicom
from batch import ended, stamps, start, states, table, ticks, within
from studies_made import COARSE, QUICK, make_studies

STRANGER = 3
"""The number of the patient whose studies are of two persons."""

WRITTEN = ("plan.json", "structures.dcm", "structures.seg.dcm", "registration.dcm", "dose.nii.gz", "report.html")
"""What a finished patient's folder holds, beside ``warped/`` and ``registration/``."""


def main() -> int:
    """Exit code 0 where nothing was lost and nothing was done twice."""
    options = _options()
    return within(options.keep, lambda folder: run(folder, options.patients, options.workers))


def run(folder: Path, count: int, workers: int) -> int:
    """The whole story."""
    names = make(folder, count)
    out, stranger = folder / "results", names[STRANGER - 1]
    command = [sys.executable, "-m", "dsir", "batch", "--studies", str(folder / "patients"), "--out", str(out)]
    command += ["--settings", str(folder / "settings.json"), "--workers", str(workers), "--pseudonyms"]
    command += ["--json-progress"]
    print(f"{count} patients, one of them with studies of two persons ({stranger}); {workers} workers")

    began = time.monotonic()
    first = start(command)
    for done in ticks(first):
        if done == count // 2:
            break
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = stamps(out, names, "plan.json")
    print(f"first run: killed with all its workers (signal 9) after {count // 2} patients, {_since(began)}")
    print(f"  plans {len(before)}, table {states(out)}, half-written folders {len(list(out.glob('.*.part')))}")

    began = time.monotonic()
    second, last_words = ended(command, folder)
    after = stamps(out, names, "plan.json")
    print(f"second run: exit code {second.returncode}, {_since(began)}: {last_words!r}")
    print(f"  plans {len(after)}, table {states(out)}, half-written folders {len(list(out.glob('.*.part')))}")
    redone = [name for name in before if after.get(name) != before[name]]
    lost = [name for name in names if name not in after and name != stranger]
    lacking = {name: [one for one in WRITTEN if not (out / name / one).is_file()] for name in after}
    lacking = {name: files for name, files in lacking.items() if files}
    (why,) = [row["error"] for row in table(out) if row["state"] == "failed"] or [""]
    print(f"done twice: {redone or 'none'}; lost: {lost or 'none'}; incomplete: {lacking or 'none'}")
    print(f"failed: {stranger}: {why}")

    began = time.monotonic()
    third, _ = ended(command, folder)
    end = stamps(out, names, "plan.json")
    redone += [name for name in after if end.get(name) != after[name]]
    print(f"third run, nothing changed: exit code {third.returncode}, {_since(began)}, table {states(out)}")
    print(f"done twice over all runs: {redone or 'none'}; plans {len(end)} of {count - 1}")
    codes = (first.returncode, second.returncode, third.returncode) == (-signal.SIGKILL, 2, 2)
    whole = not redone and not lost and not lacking and len(end) == count - 1 and "different persons" in why
    return 0 if codes and whole and not list(out.glob(".*.part")) else 1


def make(folder: Path, count: int) -> list[str]:
    """The studies; gives the patients' names."""
    names = [f"case {number:02d}" for number in range(1, count + 1)]
    patients = folder / "patients"
    make_studies(patients / names[0], COARSE)
    for name in names[1:]:
        shutil.copytree(patients / names[0], patients / name)
    for number, name in enumerate(names, start=1):
        for file in (patients / name).rglob("*.dcm"):
            dataset = pydicom.dcmread(file)
            dataset.PatientID = f"ID {number}"
            if number == STRANGER and "old" in file.parts:
                dataset.PatientID = "SOMEBODY ELSE"
            dataset.save_as(file)
    (folder / "settings.json").write_text(json.dumps(QUICK))
    return names


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder to work in, which stays")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
