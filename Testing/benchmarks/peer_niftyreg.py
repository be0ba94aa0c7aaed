"""NiftyReg as installed on PATH: reg_aladin (affine), then reg_f3d (B-splines, normalised mutual information)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nibabel
import numpy as np
from peer_files import Task, read_task, voxel_positions


def main() -> None:
    """Register; the deformation field reg_transform writes holds positions in RAS mm, not displacements."""
    task = read_task()
    affine, grid, positions = (task.folder / name for name in ("affine.txt", "grid.nii", "positions.nii"))
    spare = task.folder / "warped.nii"
    call(task, "reg_aladin", "-ref", task.fixed, "-flo", task.moving, "-aff", affine, "-res", spare)
    call(task, "reg_f3d", "-ref", task.fixed, "-flo", task.moving, "-aff", affine, "-cpp", grid, "-res", spare)
    call(task, "reg_transform", "-ref", task.fixed, "-def", grid, positions)
    reference = nibabel.load(task.fixed)
    found = np.asarray(nibabel.load(positions).dataobj).reshape(*reference.shape, 3)
    task.finish(found - voxel_positions(reference.affine, reference.shape))


def call(task: Task, program: str, *arguments: str | Path) -> None:
    """Run one of its programs, quietly."""
    quiet = [] if program == "reg_transform" else ["-voff"]
    command = [program, *map(str, arguments), *quiet, "-omp", str(task.threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} failed: {(done.stderr or done.stdout).strip()[-300:]}")


if __name__ == "__main__":
    main()
