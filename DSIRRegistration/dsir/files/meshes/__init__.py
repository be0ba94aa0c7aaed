"""Surfaces in files: .vtp, .vtk, .stl, .ply, .obj and .gii, with all but their points and normals left as they are.

A file is taken apart only as far as its points lie: topology, arrays, colours and comments pass through untouched, and
no VTK is needed.
"""

from .mesh import READERS, Mesh, read_mesh

__all__ = ["READERS", "Mesh", "read_mesh"]
