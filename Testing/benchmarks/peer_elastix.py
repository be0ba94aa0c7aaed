"""elastix: the package's default maps (Mattes mutual information), by itk-elastix's functional interface.

The setting names the default parameter maps in order, joined by ``+``: ``affine+bspline``.
"""

from __future__ import annotations

import itk
import numpy as np
from peer_files import from_lps, read_task


def main() -> None:
    """Register, then read the deformation field (LPS mm) that transformix makes on the fixed grid."""
    task = read_task()
    fixed, moving = (itk.imread(str(path), itk.F) for path in (task.fixed, task.moving))
    parameters = itk.ParameterObject.New()
    for name in task.setting.split("+"):
        stage = parameters.GetDefaultParameterMap(name)
        stage["WriteResultImage"] = ["false"]
        parameters.AddParameterMap(stage)
    _, found = itk.elastix_registration_method(fixed, moving, parameter_object=parameters, log_to_console=False)
    field = itk.transformix_deformation_field(moving, found, log_to_console=False)
    kji = np.asarray(itk.array_from_image(field))  # numpy's axes run K, J, I; the components stay x, y, z
    task.finish(from_lps(kji.transpose(2, 1, 0, 3)))


if __name__ == "__main__":
    main()
