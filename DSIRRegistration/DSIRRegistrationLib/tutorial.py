"""The steps of ``Docs/tutorial.md``, done in the panel: by the application's test, and for its pictures."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util

from .nodes.volumes import array_of, lattice_of

if TYPE_CHECKING:
    from .widget import Panel

SAMPLE, FIXED, MOVING = "CTMRBrain", "CTBrain", "MRBrainT1"
"""Slicer's own sample data set, and the two of its volumes that are used."""

PATIENCE = 1800
"""Seconds that one step may take."""

TRIED = 40
"""Places that are asked before one is accepted."""


class Tutorial:
    """Ten steps; each leaves the panel as the tutorial's picture shows it.

    Args:
        panel: the module's.
        load: gives the two scans; Slicer's sample data by default.
        done: told of each step's number when it is done.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        load: Callable[[], tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode]] | None = None,
        done: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.panel, self._load, self._done = panel, load or sample, done

    def walk(self) -> None:
        """All of them, in order."""
        for number, (_title, step) in enumerate(STEPS, start=1):
            step(self)
            self._done(number)

    def load(self) -> None:
        """Both scans come into the scene."""
        self.scans = self._load()

    def choose(self) -> None:
        """Fixed and moving are chosen; Apply is on."""
        self.panel.parameters.fixed, self.panel.parameters.moving = self.scans
        _check(self.panel.ui.applyButton.enabled, self.panel.ui.applyButton.toolTip)

    def say_the_task(self) -> None:
        """One person's head in CT and MR; the reason of its settings is read."""
        self.panel.parameters.preset = "head_ct_mr"
        _check("One person's head" in self.panel.ui.taskReasonLabel.text, "the reason of the task is not shown")

    def apply(self) -> None:
        """The registration runs while Slicer stays alive."""
        self.panel.ui.applyButton.click()
        _check(self.panel.ui.cancelButton.enabled, "it cannot be cancelled")
        self.wait()
        _check(self.panel.parameters.transform is not None, self.panel.ui.messageLabel.text)

    def read_the_verdict(self) -> None:
        """PASS, CHECK or FAIL stands on top."""
        _check(any(level in self.panel.ui.verdictLabel.text for level in ("PASS", "CHECK", "FAIL")), "no verdict")
        _check(self.panel.ui.qualityTable.rowCount > 3, "no figures")

    def look(self) -> None:
        """Fixed, warped, both, checkerboard."""
        ui = self.panel.ui
        for button in (ui.fixedViewButton, ui.warpedViewButton, ui.bothViewButton, ui.checkerButton):
            button.click()

    def ask(self) -> None:
        """A point of the CT is found in the MR, in two rows of views."""
        clicking = self.panel.similarity
        self.panel.ui.placeButton.click()
        self.wait()
        for place in _places(self.panel.parameters.fixed):
            clicking.point.place(place)
            if (
                clicking.shown is not None
                and (clicking.shown.apart or 0.0) < 2
                and (clicking.shown.chance or 1.0) > 0.75
            ):
                break
        _check(clicking.shown is not None, self.panel.ui.similarityLabel.text)

    def accept(self) -> None:
        """The match is right: it is kept."""
        self.panel.ui.acceptButton.click()
        _check(self.panel.ui.refineButton.enabled, self.panel.ui.refineButton.toolTip)

    def propagate_and_refine(self) -> None:
        """What is drawn on the MR is chosen; it is propagated by the refined result."""
        from .parameters import set_structures  # needs the application, as a panel does

        marks = self.panel.parameters.moving.GetScene().AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "tumour")
        marks.AddControlPoint(*lattice_of(self.panel.parameters.moving).centre)
        set_structures(self.panel.parameters, [marks])
        self.panel.ui.refineButton.click()
        self.wait()
        carried = f"tumour on {self.panel.parameters.fixed.GetName()}"
        _check(marks.GetScene().GetFirstNodeByName(carried) is not None, self.panel.ui.messageLabel.text)

    def save(self) -> None:
        """The transform goes into a file that reads back; the user's own views are there again."""
        self.panel.ui.ownViewsButton.click()
        with tempfile.TemporaryDirectory(prefix="dsir-") as folder:
            path = Path(folder) / "transform.h5"
            slicer.util.saveNode(self.panel.parameters.transform, str(path))
            _check(path.is_file(), "the transform was not saved")

    def wait(self) -> None:
        """Let the application work until the run has ended."""
        end = time.monotonic() + PATIENCE
        while self.panel.run is not None and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.005)
        _check(self.panel.run is None, "the run does not end")


STEPS: tuple[tuple[str, Callable[[Tutorial], None]], ...] = (
    ("Load the sample", Tutorial.load),
    ("Choose the two scans", Tutorial.choose),
    ("Say what they are", Tutorial.say_the_task),
    ("Apply", Tutorial.apply),
    ("Read the verdict", Tutorial.read_the_verdict),
    ("Look", Tutorial.look),
    ("Ask for a point", Tutorial.ask),
    ("Accept the match", Tutorial.accept),
    ("Propagate structures, and refine", Tutorial.propagate_and_refine),
    ("Save", Tutorial.save),
)
"""Headline of each in the document, and what is done."""


def sample() -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode]:
    """Slicer's CT and MR of one head; downloaded once."""
    import SampleData

    found = {node.GetName(): node for node in SampleData.downloadSamples(SAMPLE)}
    return found[FIXED], found[MOVING]


def _places(volume: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """(N, 3) RAS mm: some places deep in the scan where there is something."""
    values = array_of(volume)
    bright = np.argwhere(values > np.percentile(values[::3, ::3, ::3], 60))
    world = lattice_of(volume).to_world(bright)
    deep = np.linalg.norm(world - world.mean(0), axis=1)
    world = world[deep < np.percentile(deep, 10)]
    return world[np.random.default_rng(0).permutation(len(world))[:TRIED]]


def _check(true: bool, otherwise: str) -> None:
    if not true:
        raise AssertionError(otherwise)
