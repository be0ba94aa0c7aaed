"""Pictures of the panel from real runs on the average brain: ``python Testing/slicer/pictures.py OUT``.

The panel is the real one on the stand-in for Slicer's Qt, so fonts and frames differ from the application's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "DSIRRegistration"), str(ROOT / "Testing" / "slicer")]

import slicer  # noqa: E402
import slicer.util  # noqa: E402
import standin  # noqa: E402
from dsir.evaluation.cases import Case  # noqa: E402
from dsir.evaluation.demo import demo_case  # noqa: E402
from DSIRRegistrationLib.keep_none_alive import keep_none_alive  # noqa: E402
from mrml_scene import add_volume, drawn  # noqa: E402

WIDTH = 500


def white_matter(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """(I, J, K) bool in the fixed image and in the moving one: the dark voxels of the T2-like brain, and where the
    known deformation takes them from."""
    there = case.moving.data.numpy()
    there = (there > 200) & (there < 400)
    world = case.fixed.lattice.to_world(np.argwhere(case.body.numpy()))
    index = np.rint(case.moving.lattice.to_index(world + case.truth.at(world))).astype(int)
    index = np.clip(index, 0, np.array(there.shape) - 1)
    here = np.zeros(case.fixed.lattice.shape, bool)
    here[case.body.numpy()] = there[tuple(index.T)]
    return here, there


def main() -> int:
    """Every state of the panel that a user meets."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    keep_none_alive()
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    segmentations = slicer.vtkSlicerSegmentationsModuleLogic()  # knows how segments are represented
    segmentations.SetMRMLScene(scene)
    standin.install(ROOT / "DSIRRegistration" / "DSIRRegistration.py")
    import qt
    from DSIRRegistrationLib.parameters import set_structures

    from DSIRRegistration import DSIRRegistrationWidget

    case = demo_case(spacing=3)
    widget = DSIRRegistrationWidget()
    widget.parent.resize(WIDTH, 900)
    widget.parent.show()
    panel, ui = widget.panel, widget.panel.ui

    def wait(until: Callable[[], bool] = lambda: False) -> None:
        while panel.run is not None and not until():
            qt.QApplication.processEvents()
            time.sleep(0.01)

    def picture(name: str, *opened) -> None:
        for section in (ui.scansSection, ui.resultSection, ui.qualitySection, ui.similaritySection):
            section.collapsed = section not in opened
        for _ in range(5):
            qt.QApplication.processEvents()
        widget.parent.resize(WIDTH, widget.parent.sizeHint.height())
        qt.QApplication.processEvents()
        widget.parent.grab().save(str(out / f"{name}.png"))

    panel.enter()
    picture("panel_empty", ui.scansSection)
    p = panel.parameters
    p.fixed = add_volume(scene, "T1", case.fixed.data.numpy(), case.fixed.lattice.affine)
    p.moving = add_volume(scene, "T2", case.moving.data.numpy(), case.moving.lattice.affine)
    p.preset, p.descriptor, p.threads, p.withConfidence = "fast", "mind", 1, True
    here, there = white_matter(case)
    p.fixedSegmentation = drawn(scene, p.fixed, {"white_matter": here}, "T1 tissue")
    p.movingSegmentation = drawn(scene, p.moving, {"white_matter": there}, "T2 tissue")
    picture("panel_filled", ui.scansSection, ui.resultSection)
    ui.applyButton.click()
    wait(lambda: ui.stageLabel.text.startswith("descent"))
    picture("panel_running", ui.scansSection)
    ui.cancelButton.click()
    picture("panel_cancelled", ui.scansSection)
    ui.applyButton.click()
    wait()
    picture("panel_certainty", ui.scansSection, ui.qualitySection)
    set_structures(p, [p.movingSegmentation])
    ui.applyButton.click()
    wait()
    ui.evaluateButton.click()
    wait()
    picture("panel_done", ui.scansSection, ui.qualitySection)
    moving, p.moving = p.moving, add_volume(scene, "Empty scan", np.zeros((20, 20, 20), np.int16), np.eye(4))
    ui.applyButton.click()
    wait()
    picture("panel_error", ui.scansSection)
    p.moving = moving
    set_structures(p, [])
    p.descriptor = "dsir"
    ui.placeButton.click()
    wait()
    for place in case.fixed.lattice.to_world(case.body.nonzero().numpy()[::1501]):
        panel.clicking.point.place(place)  # a user looks for a match that is right
        shown = panel.clicking.shown
        if shown is not None and shown.apart < 4 and shown.chance > 0.6:
            break
    ui.acceptButton.click()
    ui.refineButton.click()
    wait()
    picture("panel_steering", ui.scansSection, ui.similaritySection)
    widget.cleanup()
    print(ui.messageLabel.text, ui.pairsLabel.text, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
