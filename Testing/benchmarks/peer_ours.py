"""DSIR Registration itself, in a process of its own like every peer; the setting is ``descriptor:preset``."""

from __future__ import annotations

import sys
from pathlib import Path

from peer_files import read_task

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.files.images import read_image
from dsir.registration.presets import preset
from dsir.registration.register import register


def main() -> None:
    """Register with nothing but the two images."""
    task = read_task()
    descriptor, _, name = task.setting.partition(":")
    settings = preset(name or "default", descriptor=descriptor, device="cpu", threads=task.threads)
    fixed, moving = read_image(task.fixed), read_image(task.moving)
    field = register(fixed, moving, settings).displacement(fixed.lattice)
    task.finish(field.vectors.permute(1, 2, 3, 0).numpy())


if __name__ == "__main__":
    main()
