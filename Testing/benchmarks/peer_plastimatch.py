"""plastimatch: B-splines with mutual information, knots of 40 mm, then 20 mm, as installed on PATH.

Its B-splines go wrong on grids that are turned against the axes of space (measured with a known field), so both images
are shown to it in the frame of the fixed image's own axes, and the vectors are turned back.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from peer_files import from_lps, read_task

COMMANDS = """[GLOBAL]
fixed={fixed}
moving={moving}
vf_out={field}

[STAGE]
xform=align_center

[STAGE]
xform=bspline
optim=lbfgsb
impl=plastimatch
metric=mi
max_its=50
grid_spac=40 40 40
res=2 2 2

[STAGE]
max_its=50
grid_spac=20 20 20
res=1 1 1
"""


def main() -> None:
    """Register; the vector field is an ITK image (LPS mm) on the fixed grid."""
    task = read_task()
    matrix = nibabel.load(task.fixed).affine[:3, :3]
    directions = matrix / np.linalg.norm(matrix, axis=0)
    fixed, moving = (upright(path, directions, task.folder) for path in (task.fixed, task.moving))
    commands, field = task.folder / "plastimatch.txt", task.folder / "field.mha"
    commands.write_text(COMMANDS.format(fixed=fixed, moving=moving, field=field), encoding="utf-8")
    done = subprocess.run(["plastimatch", "register", str(commands)], capture_output=True, text=True, check=False)
    if done.returncode or not field.is_file():
        raise SystemExit(f"plastimatch failed: {(done.stderr or done.stdout).strip()[-300:]}")
    kji = sitk.GetArrayFromImage(sitk.ReadImage(str(field)))
    task.finish(from_lps(np.transpose(kji, (2, 1, 0, 3))) @ directions.T)


def upright(path: Path, directions: np.ndarray, folder: Path) -> Path:
    """The image in a space whose axes are ``directions`` (3, 3; columns in RAS)."""
    file = nibabel.load(path)
    affine = file.affine.copy()
    affine[:3] = directions.T @ affine[:3]
    out = folder / f"upright_{path.name}"
    nibabel.save(nibabel.Nifti1Image(np.asarray(file.dataobj), affine), out)
    return out


if __name__ == "__main__":
    main()
