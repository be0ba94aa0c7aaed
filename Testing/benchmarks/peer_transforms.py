"""Transforms as ANTs and elastix themselves write them: of an image and the same moved by a known way.

Run by the peers' environment: ``python peer_transforms.py FOLDER`` writes into it ``fixed.nii.gz``, ``moving.nii.gz``
(what is at x lies at x + MOVED in it), ANTs' ``ants_1Warp.nii.gz`` and ``ants_0GenericAffine.mat``, and elastix's
``deformationField.nii.gz``, ``deformationField.mha`` and ``TransformParameters.0.txt``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

MOVED = (4.0, -2.0, 2.0)
"""RAS mm."""


def main(folder: Path) -> None:
    """Write the images, and what both programs find."""
    import ants
    import itk
    import nibabel
    from scipy.ndimage import gaussian_filter, shift

    texture = gaussian_filter(np.random.default_rng(0).normal(size=(40, 44, 36)), 3)
    texture = 100 * (texture - texture.min()) / np.ptp(texture)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-30, -50, 10]
    paths = {name: str(folder / f"{name}.nii.gz") for name in ("fixed", "moving")}
    moved = shift(texture, np.array(MOVED) / 2, order=3, mode="nearest")
    for name, values in (("fixed", texture), ("moving", moved)):
        image = nibabel.Nifti1Image(values.astype(np.float32), affine)
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
        nibabel.save(image, paths[name])
    fixed, moving = (ants.image_read(path) for path in paths.values())
    ants.registration(fixed, moving, "SyNOnly", initial_transform="Identity", outprefix=str(folder / "ants_"))
    ants.registration(fixed, moving, "Translation", outprefix=str(folder / "ants_"))
    fixed, moving = (itk.imread(path, itk.F) for path in paths.values())
    parameters = itk.ParameterObject.New()
    parameters.AddParameterMap(parameters.GetDefaultParameterMap("translation"))
    _, found = itk.elastix_registration_method(fixed, moving, parameter_object=parameters, log_to_console=False)
    field = itk.transformix_deformation_field(moving, found)
    itk.imwrite(field, str(folder / "deformationField.nii.gz"))
    itk.imwrite(field, str(folder / "deformationField.mha"))
    found.WriteParameterFile(str(folder / "TransformParameters.0.txt"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
