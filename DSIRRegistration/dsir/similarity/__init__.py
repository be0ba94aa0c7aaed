"""Click a voxel: where in the other image does it lie, and how sure is that?"""
