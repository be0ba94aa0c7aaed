"""DSIR: multimodal deformable registration by deep structural image representations.

Most people need six words::

    import dsir

    result = dsir.register("ct.nii.gz", "mr.nii.gz", preset="head_ct_mr", progress=True)
    result                                     # in a notebook: the picture, the warnings, the figures
    result.warped                              # the moving image on the fixed grid
    result.apply(labels="organs.nii.gz")       # labels, points and meshes of the moving scan, brought onto the fixed
    dsir.show(result)                          # in the browser: compare, ask for points, steer
    result.save("result")                      # the folder that ``dsir register`` writes

Everything that takes an image takes a path, a DICOM folder, a SimpleITK or nibabel image, a MONAI MetaTensor, the
tuple (array, affine), or an :class:`dsir.Image`.

The engine behind every door (3D Slicer, command line, browser). It knows tensors and millimetres, never people's
screens: nothing below this package imports slicer, vtk, Qt or trame.

Space is RAS millimetres wherever a function's border is crossed; a displacement field maps fixed to moving: the
fixed point ``x`` lies at ``x + u(x)`` in the moving image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from .errors import DsirError
    from .face.images import read, to_sitk
    from .face.register import query, register
    from .face.registration import Registration
    from .face.show import show
    from .geometry.image import Image

_WHERE = {
    "DsirError": "errors",
    "Image": "geometry.image",
    "Registration": "face.registration",
    "query": "face.register",
    "read": "face.images",
    "register": "face.register",
    "show": "face.show",
    "to_sitk": "face.images",
}
"""Name to module; each is imported when it is first asked for, since torch takes seconds."""

__all__ = ["DsirError", "Image", "Registration", "__version__", "query", "read", "register", "show", "to_sitk"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'dsir' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
