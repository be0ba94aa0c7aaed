"""Pictures of the panel while a user steers, from a real run: ``python Testing/slicer/pictures.py OUT``.

The panel is the real one on the stand-in for Slicer's Qt, so fonts and frames differ from the application's.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "DSIRRegistration"), str(ROOT / "Testing" / "slicer")]

import slicer  # noqa: E402
import slicer.util  # noqa: E402
import standin  # noqa: E402
from dsir.evaluation.demo import demo_case  # noqa: E402
from DSIRRegistrationLib.immortal import keep_none_alive  # noqa: E402
from mrml_scene import add_volume  # noqa: E402

WIDTH = 500


def main() -> int:
    """Register, click, accept, refine; a picture of each."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    keep_none_alive()
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    standin.install(ROOT / "DSIRRegistration" / "DSIRRegistration.py")
    import qt

    from DSIRRegistration import DSIRRegistrationWidget

    case = demo_case(spacing=3)
    widget = DSIRRegistrationWidget()
    widget.parent.resize(WIDTH, 900)
    widget.parent.show()
    panel, ui = widget.panel, widget.panel.ui

    def wait() -> None:
        while panel.run is not None:
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
    p = panel.parameters
    p.fixed = add_volume(scene, "T1", case.fixed.data.numpy(), case.fixed.lattice.affine)
    p.moving = add_volume(scene, "T2", case.moving.data.numpy(), case.moving.lattice.affine)
    p.preset, p.descriptor, p.threads, p.withCertainty = "fast", "mind", 1, True
    picture("panel_filled", ui.scansSection, ui.resultSection)
    ui.applyButton.click()
    wait()
    picture("panel_certainty", ui.scansSection, ui.qualitySection)
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
