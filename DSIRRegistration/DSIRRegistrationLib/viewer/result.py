"""What was found between the scans: transform, warped scan and maps in the scene, and the folder they came from."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from dsir.progress import Progress
from trame_slicer.core import SlicerApp

from .. import worker
from ..engine_process import Launcher
from ..nodes.transforms import load_transform, write_transform
from ..nodes.volumes import image_of, lattice_of, write_volume
from ..roles import FIXED, MOVING
from ..similarity import Similarity
from .maps import Maps
from .side import load_volume


@dataclass(frozen=True, eq=False)
class Kept:
    """A result that can come back: its folder, with ``transform.h5`` and the warped scan, and its report."""

    folder: Path
    report: dict[str, Any] = field(default_factory=dict)


class Result:
    """The present result of a pair of volumes in the scene; none at first.

    Attributes:
        kept: where it lies; None without one.
        warped: the moving scan on the fixed scan's voxels.
    """

    def __init__(self, app: SlicerApp, similarity: Similarity, folder: Path, launch: Launcher) -> None:
        self.app, self.similarity, self.folder, self.launch = app, similarity, folder, launch
        self.kept: Kept | None = None
        self.warped: slicer.vtkMRMLScalarVolumeNode | None = None
        self.maps = Maps(similarity.volumes[FIXED])

    @property
    def transform(self) -> slicer.vtkMRMLTransformNode | None:
        """Fixed to moving."""
        return self.similarity.transform

    def begin_with(self, file: Path) -> None:
        """Show a transform of the user's, of any kind the engine reads.

        Raises:
            DsirError: it cannot be read, or could be read in two ways.
        """
        from dsir.files.images import write_image
        from dsir.files.transforms import write_transform as write_engines
        from dsir.warp.images import warp_image
        from dsir.workflow.given_transform import read_given_transform

        fixed, moving = (image_of(self.similarity.volumes[side]) for side in (FIXED, MOVING))
        given = read_given_transform(file, fixed=fixed, moving=moving).transform
        out = Path(tempfile.mkdtemp(dir=self.folder))
        write_engines(out / "transform.h5", given)
        write_image(out / "warped.nii", warp_image(moving, given, fixed.lattice))
        self.show(Kept(out))

    def show(self, kept: Kept | None) -> None:
        """Put a result into the scene in the place of the present one; None takes it out."""
        scene, moving = self.app.scene, self.similarity.volumes[MOVING]
        for node in (self.similarity.transform, self.warped):
            if node is not None:
                scene.RemoveNode(node)
        self.maps.forget()
        self.kept, self.similarity.transform, self.warped = kept, None, None
        if kept is None:
            return
        self.similarity.transform = load_transform(kept.folder / "transform.h5", scene, name="DSIR transform")
        file = next(kept.folder.glob("warped.nii*"))
        self.warped = load_volume(self.app, file, f"{moving.GetName()} warped")
        shown = moving.GetDisplayNode()
        self.warped.GetDisplayNode().AutoWindowLevelOff()
        self.warped.GetDisplayNode().SetWindowLevel(shown.GetWindow(), shown.GetLevel())

    def hand_over(self) -> Path:
        """Write both scans, as the engine takes them, into a folder of their own."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for side in (FIXED, MOVING):
            write_volume(folder / f"{side}.nii", self.similarity.volumes[side])
        return folder

    def names(self, folder: Path) -> dict[str, str]:
        """What the engine's sentences call the files, and what the user calls them."""
        return {str(folder / f"{side}.nii"): self.similarity.volumes[side].GetName() for side in (FIXED, MOVING)}

    def confidence(self, descriptor: str, progress: Progress) -> Generator[None, None, bool]:
        """Judge the present result everywhere; the map is there afterwards."""
        folder = self.hand_over()
        out = folder / "confidence.nii"
        write_transform(folder / "transform.h5", self.transform, lattice_of(self.similarity.volumes[FIXED]))
        words = ["confidence", "--fixed", str(folder / "fixed.nii"), "--moving", str(folder / "moving.nii")]
        words += ["--transform", str(folder / "transform.h5"), "--out", str(out), "--descriptor", descriptor]
        said = yield from worker.run(words, folder, launch=self.launch, progress=progress, inputs=self.names(folder))
        self.maps.place_confidence(
            out, np.array(said["affine"]), doubtful=said["doubtful"], calibrated=said["calibrated"]
        )
        return True
