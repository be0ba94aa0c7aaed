"""What the page can do: click, register, accept, compare. Knows MRML and the engine, no widget."""

from __future__ import annotations

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
from ..engine_process import Launcher, PythonProcess
from ..nodes.transforms import write_transform
from ..nodes.volumes import lattice_of
from ..nodes.windows import show_with
from ..pairs import Pair, Pairs, apart, landmarks
from ..point_sets import ASKED, EXPECTED, FOUND
from ..roles import FIXED, MOVING, OTHER
from ..similarity import Shown, Similarity
from .annotation import in_words
from .history import History
from .overlays import Overlays
from .result import Kept, Result
from .side import Side, load_volume

State = tuple[tuple[Pair, ...], "Kept | None"]
"""What undo brings back: pairs and result."""


class Session:
    """A fixed and a moving image, side by side.

    Args:
        transform: fixed to moving, to show and to refine.
        launch: starts the engine.

    Attributes:
        sides, similarity, pairs, result, look: what a session consists of.
        last: the answer that can be accepted; None where there is none.
        asked: side and point of the last question.
        history: of pairs and results.
    """

    def __init__(
        self,
        app: SlicerApp,
        fixed: Path,
        moving: Path,
        *,
        transform: Path | None = None,
        launch: Launcher = PythonProcess,
    ) -> None:
        self.app, self.launch = app, launch
        slicer.mrmlScene = app.scene
        volumes = [load_volume(app, path, path.name.split(".")[0]) for path in (fixed, moving)]
        self.sides = {name: Side(app, name, volume) for name, volume in zip((FIXED, MOVING), volumes, strict=True)}
        self.similarity = Similarity(*volumes, launch=launch)
        self.pairs = Pairs(*volumes)
        self.last: Shown | None = None
        self.asked: tuple[str, np.ndarray] | None = None
        self.history: History[State] = History()
        self._folder = tempfile.TemporaryDirectory(prefix="dsir-view-", ignore_cleanup_errors=True)
        self.result = Result(app, self.similarity, Path(self._folder.name), launch)
        self.overlays = Overlays(app, self.sides, self.similarity, self.result)
        if transform is not None:
            self.result.begin_with(transform)
            self.overlays.result_changed()
            self.lay()

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

    @property
    def names(self) -> tuple[str, str]:
        """What the scans are called."""
        return tuple(self.sides[side].volume.GetName() for side in (FIXED, MOVING))

    def lay(self) -> None:
        """Show what is chosen over both scans."""
        self.overlays.lay(self.last)

    def accept(self) -> int:
        """Keep the last match as a pair; returns how many there are.

        Raises:
            DsirError: nothing was asked yet.
        """
        if self.last is None:
            raise DsirError("There is no match to accept yet; click into one of the images first.")
        self._leave()
        self.pairs.accept(self.last)
        self.show_pairs_on_their_side()
        self.last = None
        for side in self.sides.values():
            for what in (ASKED, FOUND, EXPECTED):
                side.mark(what, None)
        self.lay()
        return len(self.pairs)

    def remove(self, number: int) -> None:
        """Forget one pair."""
        self._leave()
        self.pairs.remove(number)

    def rename(self, number: int, name: str) -> None:
        """Call a pair differently."""
        self._leave()
        self.pairs.rename(number, name.strip())

    def go_to(self, number: int) -> None:
        """Bring the views of both sides to a pair."""
        pair = self.pairs.records()[number]
        self.sides[FIXED].jump(pair.fixed)
        self.sides[MOVING].jump(pair.moving)

    def undo(self) -> None:
        """Back to the pairs and the result there were before the last change."""
        self._come_to(self.history.undo(self._state))

    def redo(self) -> None:
        """Do again what was undone."""
        self._come_to(self.history.redo(self._state))

    @property
    def _state(self) -> State:
        return self.pairs.records(), self.result.kept

    def _leave(self) -> None:
        self.history.leave(self._state)

    def _come_to(self, state: State) -> None:
        pairs, kept = state
        self.pairs.restore(pairs)
        self.show_pairs_on_their_side()
        if kept is not self.result.kept:
            self.result.show(kept)
            self.overlays.result_changed()
        self.lay()

    @property
    def missed(self) -> np.ndarray | None:
        """(N,) mm between the pairs and where the present transform puts them; None without one or the other."""
        if not len(self.pairs) or self.result.transform is None:
            return None
        return apart(landmarks(*self.pairs.nodes.values()), self.result.transform)

    def show_pairs_on_their_side(self) -> None:
        """Draw each pair's two points in the views of their own scan alone."""
        for side, node in self.pairs.nodes.items():
            if node is not None:
                node.GetDisplayNode().SetViewNodeIDs([view.get_view_node_id() for view in self.sides[side].views])
                node.GetDisplayNode().SetTextScale(3.0)

    def register(
        self, descriptor: str, preset: str, *, refine: bool = False, progress: Progress
    ) -> Generator[None, None, dict[str, Any]]:
        """Register, steered by the accepted pairs where there are any; returns the report.

        Args:
            refine: improve the present transform, which takes seconds, in the place of searching.
        """
        folder = self.result.hand_over()
        out = folder / "result"
        words = ["register", "--fixed", str(folder / "fixed.nii"), "--moving", str(folder / "moving.nii")]
        words += ["--out", str(out), "--preset", preset, "--descriptor", descriptor]
        if refine and self.result.transform is not None:
            write_transform(folder / "refine.h5", self.result.transform, lattice_of(self.sides[FIXED].volume))
            words += ["--refine", str(folder / "refine.h5"), "--brief"]
        if len(self.pairs):
            write_landmarks(folder / "pairs.csv", landmarks(*self.pairs.nodes.values()))
            words += ["--landmarks", str(folder / "pairs.csv")]
        names = self.result.names(folder)
        said = yield from worker.run(words, folder, launch=self.launch, progress=progress, inputs=names)
        report = dict(said.get("report") or {})
        self._leave()
        self.result.show(Kept(out, report))
        self.overlays.result_changed()
        self.lay()
        return report

    def windowed(self, side: str) -> list[slicer.vtkMRMLScalarVolumeNode]:
        """Volumes whose window belongs together: a side's, and with the moving scan the warped one."""
        nodes = [self.sides[side].volume]
        return [*nodes, self.result.warped] if side == MOVING and self.result.warped is not None else nodes

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
