"""Files in, files out: images, masks, labels, transforms, points and meshes."""
