"""ANTs SyN with Mattes mutual information (32 bins), by antspyx; the setting is its ``type_of_transform``."""

from __future__ import annotations

from pathlib import Path

import ants
from peer_files import read_itk_field, read_task


def main() -> None:
    """Register, then ask ANTs itself for the whole chain as one displacement field (LPS mm)."""
    task = read_task()
    fixed, moving = ants.image_read(str(task.fixed)), ants.image_read(str(task.moving))
    result = ants.registration(
        fixed, moving, type_of_transform=task.setting, outprefix=str(task.folder / "ants_"), syn_metric="mattes"
    )
    composite = ants.apply_transforms(fixed, moving, result["fwdtransforms"], compose=str(task.folder / "ants_whole_"))
    task.finish(read_itk_field(Path(composite), task.fixed))


if __name__ == "__main__":
    main()
