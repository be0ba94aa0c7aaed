"""DSIR: multimodal deformable registration by deep structural image representations.

The engine behind every door (3D Slicer, command line, browser). It knows tensors and millimetres, never people's
screens: nothing below this package imports slicer, vtk, Qt or trame.

Space is RAS millimetres wherever a function's border is crossed; a displacement field maps fixed to moving: the
fixed point ``x`` lies at ``x + u(x)`` in the moving image.
"""

__version__ = "0.1.0"
