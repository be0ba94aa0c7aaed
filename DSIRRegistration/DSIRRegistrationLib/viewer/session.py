"""What the page can do: click, register, accept, blend, save. Knows MRML and the engine, no widget."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from dsir.errors import DsirError
from dsir.files.landmarks import write_landmarks
from dsir.progress import Progress
from trame_slicer.core import SlicerApp

from .. import worker
from ..nodes.transforms import load_transform, write_transform
from ..nodes.volumes import lattice_of, write_volume
from ..nodes.windows import show_with
from ..pairs import Pairs, apart, landmarks
from ..point_sets import ASKED, EXPECTED, FOUND
from ..roles import FIXED, MOVING, OTHER
from ..similarity import Shown, Similarity
from .annotation import in_words
from .overlays import checkerboard
from .side import Side, load_volume

SIMILARITY, BEFORE, AFTER, SQUARES = "similarity", "before", "after", "squares"


class Session:
    """A fixed and a moving image, side by side.

    Args:
        transform: fixed to moving, to show and to refine.
        launch: starts the engine.
    """

    def __init__(
        self,
        app: SlicerApp,
        fixed: Path,
        moving: Path,
        *,
        transform: Path | None = None,
        launch: worker.Launcher = worker.PythonProcess,
    ) -> None:
        self.app, self.launch = app, launch
        slicer.mrmlScene = app.scene
        volumes = [load_volume(app, path, path.name.split(".")[0]) for path in (fixed, moving)]
        self.sides = {name: Side(app, name, volume) for name, volume in zip((FIXED, MOVING), volumes, strict=True)}
        self.similarity = Similarity(*volumes, launch=launch)
        self.pairs = Pairs(*volumes)
        self.warped: slicer.vtkMRMLScalarVolumeNode | None = None
        self._squares: slicer.vtkMRMLScalarVolumeNode | None = None
        self.last: Shown | None = None
        self.asked: tuple[str, np.ndarray] | None = None
        self.overlay, self.opacity = SIMILARITY, 0.6
        self._folder = tempfile.TemporaryDirectory(prefix="dsir-view-", ignore_cleanup_errors=True)
        self._result: Path | None = None
        if transform is not None:
            self.similarity.transform = load_transform(transform, app.scene, name="start")

    def click(
        self, side: str, point: np.ndarray, descriptor: str, *, radius: float | None, follow: bool, alone: bool = False
    ) -> Shown:
        """Ask for a world point of one side; draws everything that is drawn.

        Raises:
            DsirError: outside, in the air, or no features yet.
        """
        here, there = self.sides[side], self.sides[OTHER[side]]
        here.mark(ASKED, point)
        shown = self.similarity.ask(side, point, descriptor, radius=radius, alone=alone)
        self.last, self.asked = shown, (side, point)
        for what in (FOUND, EXPECTED):
            here.mark(what, None)
        there.mark(ASKED, None)
        there.mark(FOUND, shown.match)
        there.mark(EXPECTED, shown.expected)
        here.jump(point)
        if follow:
            there.jump(shown.match)
        self.lay()
        return shown

    def click_again(self, descriptor: str, *, radius: float | None, alone: bool = False) -> Shown | None:
        """Ask for the last point once more, after a registration; None where there was none."""
        if self.asked is None:
            return None
        return self.click(*self.asked, descriptor, radius=radius, follow=True, alone=alone)

    def lay(self) -> None:
        """Show the heat map over the searched image, and before or after over the fixed one where that is wished."""
        heat = self.similarity.heat.volume if self.last is not None else None
        searched = OTHER[self.last.side] if self.last is not None else MOVING
        for name, side in self.sides.items():
            side.overlay(heat if name == searched else None, self.opacity if name == searched else 0.0)
        if self.overlay == BEFORE:
            self.sides[FIXED].overlay(self.sides[MOVING].volume, self.opacity)
        elif self.overlay == AFTER and self.warped is not None:
            self.sides[FIXED].overlay(self.warped, self.opacity)
        elif self.overlay == SQUARES and self.warped is not None:
            self._squares = self._squares or checkerboard(self.warped)
            self.sides[FIXED].overlay(self._squares, 1.0)

    def accept(self) -> int:
        """Keep the last match as a pair; returns how many there are.

        Raises:
            DsirError: nothing was asked yet.
        """
        if self.last is None:
            raise DsirError("There is no match to accept yet; click into one of the images first.")
        self.pairs.accept(self.last)
        self._show_pairs_on_their_side()
        self.last = None
        for side in self.sides.values():
            for what in (ASKED, FOUND, EXPECTED):
                side.mark(what, None)
        self.lay()
        return len(self.pairs)

    def take_back(self) -> int:
        """Forget the last pair; returns how many are left."""
        self.pairs.take_back()
        return len(self.pairs)

    @property
    def missed(self) -> float | None:
        """mm, mean, between the pairs and where the present transform puts them; None without one or the other."""
        if not len(self.pairs) or self.similarity.transform is None:
            return None
        return float(apart(landmarks(*self.pairs.nodes.values()), self.similarity.transform).mean())

    def _show_pairs_on_their_side(self) -> None:
        for side, node in self.pairs.nodes.items():
            node.GetDisplayNode().SetViewNodeIDs([view.get_view_node_id() for view in self.sides[side].views])
            node.GetDisplayNode().SetTextScale(3.0)

    def register(
        self, descriptor: str, preset: str, *, refine: bool = False, progress: Progress
    ) -> Generator[None, None, dict[str, Any]]:
        """Register, steered by the accepted pairs where there are any; returns the report.

        Args:
            refine: improve the present transform, which takes seconds, in the place of searching.
        """
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        for side in (FIXED, MOVING):
            write_volume(folder / f"{side}.nii", self.sides[side].volume)
        out = folder / "result"
        words = ["register", "--fixed", str(folder / "fixed.nii"), "--moving", str(folder / "moving.nii")]
        words += ["--out", str(out), "--preset", preset, "--descriptor", descriptor]
        if refine and self.similarity.transform is not None:
            write_transform(folder / "refine.h5", self.similarity.transform, lattice_of(self.sides[FIXED].volume))
            words += ["--refine", str(folder / "refine.h5"), "--brief"]
        if len(self.pairs):
            write_landmarks(folder / "pairs.csv", landmarks(*self.pairs.nodes.values()))
            words += ["--landmarks", str(folder / "pairs.csv")]
        names = {str(folder / f"{side}.nii"): self.sides[side].volume.GetName() for side in (FIXED, MOVING)}
        said = yield from worker.run(words, folder, launch=self.launch, progress=progress, inputs=names)
        self._result = out
        self._take_over(out)
        return dict(said.get("report") or {})

    def _take_over(self, out: Path) -> None:
        scene = self.app.scene
        former = self.similarity.transform
        self.similarity.transform = load_transform(out / "transform.h5", scene, name="DSIR transform")
        if former is not None:
            scene.RemoveNode(former)
        warped = load_volume(self.app, out / "warped.nii.gz", f"{self.sides[MOVING].volume.GetName()} warped")
        shown = self.sides[MOVING].volume.GetDisplayNode()
        warped.GetDisplayNode().AutoWindowLevelOff()
        warped.GetDisplayNode().SetWindowLevel(shown.GetWindow(), shown.GetLevel())
        if self.warped is not None:
            scene.RemoveNode(self.warped)
        if self._squares is not None:
            scene.RemoveNode(self._squares)
        self.warped, self._squares = warped, None
        self.overlay = AFTER
        self.lay()

    def save(self, target: Path) -> list[str]:
        """Write pairs and the last result into a folder; returns the names of the files.

        Raises:
            DsirError: there is nothing to save, or the folder cannot be written.
        """
        if not len(self.pairs) and self._result is None:
            raise DsirError("There is nothing to save yet: no accepted pair, no registration.")
        try:
            target.mkdir(parents=True, exist_ok=True)
            if self._result is not None:
                shutil.copytree(self._result, target, dirs_exist_ok=True)
        except OSError as error:
            raise DsirError(f"{target} cannot be written: {error.strerror}.") from None
        if len(self.pairs):
            write_landmarks(target / "landmarks.csv", landmarks(*self.pairs.nodes.values()))
        return sorted(file.name for file in target.iterdir() if not file.name.startswith("."))

    def windowed(self, side: str) -> list[slicer.vtkMRMLScalarVolumeNode]:
        """Volumes whose window belongs together: a side's, and with the moving scan the warped one."""
        nodes = [self.sides[side].volume]
        if side == MOVING:
            nodes += [node for node in (self.warped, self._squares) if node is not None]
        return nodes

    def window(self, choice: str) -> None:
        """Show every volume with one of :data:`.windowing.CHOICES`."""
        show_with(choice, *(node for side in (FIXED, MOVING) for node in self.windowed(side)))

    def where(self, side: str, point: np.ndarray) -> str:
        """What lies under the pointer: RAS, value and voxel."""
        found = self.sides[side].value(point)
        if found is None:
            return f"{side}: {in_words(point)} mm, outside"
        value, index = found
        return f"{side}: {in_words(point)} mm · value {value:.4g} · voxel {index[0]}, {index[1]}, {index[2]}"

    def close(self) -> None:
        """Delete what lies in temporary folders."""
        self.similarity.remove()
        self._folder.cleanup()
