"""DSIR Registration itself, in a process of its own like every peer.

The setting is ``descriptor:preset``, or ``descriptor:preset:every-voxel``, whose network sees every voxel.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from peer_files import read_task

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.files.images import read_image
from dsir.registration.presets import preset
from dsir.registration.register import register


def main() -> None:
    """Register with nothing but the two images."""
    task = read_task()
    descriptor, name, *every_voxel = task.setting.split(":")
    settings = preset(name, descriptor=descriptor, device="cpu", threads=task.threads)
    if every_voxel:
        settings = replace(settings, thinned=False)
    fixed, moving = read_image(task.fixed), read_image(task.moving)
    field = register(fixed, moving, settings).displacement(fixed.lattice)
    task.finish(field.vectors.permute(1, 2, 3, 0).numpy())


if __name__ == "__main__":
    main()
