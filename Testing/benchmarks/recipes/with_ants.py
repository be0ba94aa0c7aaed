"""ANTs SyN on DSIR: one mean-squares metric for each component, together the squared distance of the vectors.

    dsir features --input FIXED MOVING -o f.nii.gz m.nii.gz --descriptor dsir --components 4 --masked --separate
    python with_ants.py FIXED MOVING field.npy --setting dsir --features f.nii.gz m.nii.gz
    python with_ants.py FIXED MOVING field.npy --setting mattes

Both begin from the same affine alignment by mutual information; only the metric of SyN differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ants

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peer_files import Task, read_itk_field, read_task


def main() -> None:
    """Affine, then SyN; ANTs itself makes the whole chain one displacement field (LPS mm)."""
    task = read_task()
    fixed, moving = ants.image_read(str(task.fixed)), ants.image_read(str(task.moving))
    prefix = str(task.folder / "syn_")
    affine = ants.registration(fixed, moving, type_of_transform="Affine", outprefix=str(task.folder / "affine_"))
    start = affine["fwdtransforms"][0]
    if task.setting == "mattes":
        found = ants.registration(
            fixed, moving, type_of_transform="SyNOnly", initial_transform=start, outprefix=prefix, syn_metric="mattes"
        )
    else:
        pairs = channels(task)
        found = ants.registration(
            *pairs[0],
            type_of_transform="SyNOnly",
            initial_transform=start,
            outprefix=prefix,
            syn_metric="meansquares",
            multivariate_extras=[("MeanSquares", *pair, 1.0, 0) for pair in pairs[1:]],
        )
    composite = ants.apply_transforms(fixed, moving, found["fwdtransforms"], compose=prefix + "whole_")
    task.finish(read_itk_field(Path(composite), task.fixed))


def channels(task: Task) -> list[tuple[ants.ANTsImage, ants.ANTsImage]]:
    """Fixed and moving image of each channel, as ``dsir features --separate`` wrote them."""
    sides = [sorted(path.parent.glob(path.name.replace(".nii.gz", "_??.nii.gz"))) for path in task.features]
    return [tuple(ants.image_read(str(path)) for path in pair) for pair in zip(*sides, strict=True)]


if __name__ == "__main__":
    main()
