"""Where voxels lie: the voxel grid (lattice), images on it, reading between voxels."""
