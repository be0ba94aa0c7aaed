"""Where MRML nodes become files, arrays and lattices, and become nodes again. No Qt, no application object."""
