"""Pictures of the panel and of the tutorial: ``python Testing/slicer/pictures.py OUT [panel] [verdicts] [tutorial]``.

The slice views are Slicer's real ones; the panel is the real one on the stand-in for Slicer's Qt, so its fonts and
frames differ from the application's. The scans are the head of :mod:`head_phantom`, which no scanner made.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("DSIRRegistration", "Testing/slicer", "Testing/engine")]

import slicer  # noqa: E402
import slicer.util  # noqa: E402
import standin  # noqa: E402
from dsir.geometry.image import Image as Scan  # noqa: E402
from DSIRRegistrationLib.keep_none_alive import keep_none_alive  # noqa: E402
from head_phantom import head_pair  # noqa: E402
from mrml_scene import add_volume, drawn, start_application  # noqa: E402
from slice_views import LayoutManager, add_colours, add_markups, save  # noqa: E402
from window_picture import BAR, OWN, ROWS, beside, show_layers, views_picture  # noqa: E402

WIDTH = 480


class Studio:
    """The panel on a scene with slice views, and a camera."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._application, self._kept = start_application()
        self.scene = self._application.GetMRMLScene()
        self._kept += [add_colours(self.scene), add_markups(self._application)]
        standin.install(ROOT / "DSIRRegistration" / "DSIRRegistration.py")
        self.manager = slicer.app.layout_manager = LayoutManager(self.scene, self._application)
        for name, (_x, _y, wide, high) in (OWN | ROWS).items():
            self.manager.sliceWidget(name).resize(wide, high - BAR)
        slicer.util.setSliceViewerLayers = show_layers
        slicer.util.saveNode = _save_node
        from DSIRRegistration import DSIRRegistrationWidget

        self.widget = DSIRRegistrationWidget()
        self.widget.parent.resize(WIDTH, 900)
        self.widget.parent.show()
        self.panel, self.ui = self.widget.panel, self.widget.panel.ui
        self.panel.enter()

    def add(self, name: str, scan: Scan) -> Any:
        """A volume of the scene."""
        values = np.rint(scan.data.numpy()).astype(np.int16)
        return add_volume(self.scene, name, values, scan.lattice.affine)

    def wait(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let the run go on, until it ends or something is there to see."""
        while self.panel.run is not None and not until():
            slicer.app.processEvents()
            time.sleep(0.01)

    def picture(self, name: str, *opened: Any, views: bool = True, fit: bool = True) -> None:
        """Take one, with these sections open."""
        ui = self.ui
        for section in (ui.scansSection, ui.resultSection, ui.advancedSection, ui.qualitySection, ui.similaritySection):
            if section is not ui.similaritySection or section in opened or not section.collapsed:
                section.collapsed = section not in opened
        for _ in range(5):
            slicer.app.processEvents()
        self.widget.parent.resize(WIDTH, self.widget.parent.sizeHint.height())
        slicer.app.processEvents()
        with tempfile.TemporaryDirectory() as folder:
            panel = Path(folder) / "panel.png"
            self.widget.parent.grab().save(str(panel))
            whole = beside(panel, views_picture(self.manager, self.scene, fit=fit)) if views else beside(panel, None)
        save(whole, self.out / f"{name}.png")


def panel_pictures(studio: Studio) -> None:
    """Every state of the panel that a user meets, beside the views where they show something."""
    ui, panel = studio.ui, studio.panel
    studio.picture("panel_empty", ui.scansSection, views=False)
    ct, mr, _truth = head_pair(2)
    p = panel.parameters
    p.fixed, p.moving = studio.add("CTBrain", ct), studio.add("MRBrainT1", mr)
    p.preset, p.threads = "head_ct_mr", 1
    values = mr.data.numpy()
    p.movingSegmentation = drawn(studio.scene, p.moving, {"skin": values > 500}, "MR drawing")
    p.fixedSegmentation = drawn(studio.scene, p.fixed, {"skin": np.abs(ct.data.numpy() - 25) < 60}, "CT drawing")
    studio.picture("panel_filled", ui.scansSection, ui.advancedSection, views=False)
    ui.applyButton.click()
    studio.wait(lambda: ui.stageLabel.text.startswith("linear"))
    studio.picture("panel_running", ui.scansSection, views=False)
    ui.cancelButton.click()
    studio.picture("panel_cancelled", ui.scansSection, views=False)
    from DSIRRegistrationLib.parameters import set_structures

    set_structures(p, [p.movingSegmentation])
    p.withConfidence = True
    ui.applyButton.click()
    studio.wait()
    ui.evaluateButton.click()
    studio.wait()
    ui.windowSelector.setCurrentIndex(2)
    studio.picture("panel_done", ui.scansSection, ui.qualitySection)
    ui.confidenceViewButton.click()
    studio.picture("panel_confidence", ui.qualitySection)
    moving, p.moving = (
        p.moving,
        studio.add("Empty scan", Scan(mr.data[:20, :20, :20] * 0, mr.lattice.window((0, 0, 0), (20, 20, 20)))),
    )
    set_structures(p, [])
    ui.applyButton.click()
    studio.wait()
    studio.picture("panel_error", ui.scansSection, views=False)
    p.moving = moving


def verdict_pictures(studio: Studio) -> None:
    """CHECK and FAIL: a scan that shows a part of the other, and one that shows nothing of it."""
    ui, p = studio.ui, studio.panel.parameters
    ct, mr, _truth = head_pair(3)
    noise = gaussian_filter(np.random.default_rng(0).normal(size=mr.lattice.shape), 3)
    shape = np.array(mr.lattice.shape) * (10, 10, 3) // 10  # shows between half and two thirds of the head: CHECK
    low = (np.array(mr.lattice.shape) - shape) // 2
    part = mr.data[tuple(slice(a, a + n) for a, n in zip(low, shape, strict=True))]
    scans = {
        "check": ("MR slab", Scan(part, mr.lattice.window(low, shape))),
        "fail": ("Nothing of a head", Scan(torch.from_numpy(400 + 300 * noise / noise.std()).float(), mr.lattice)),
    }
    p.fixed, p.preset, p.threads = studio.add("CTBrain", ct), "fast", 1
    for name, (called, scan) in scans.items():
        p.moving, p.transform, p.warped = studio.add(called, scan), None, None
        ui.applyButton.click()
        studio.wait()
        studio.picture(f"panel_{name}", ui.scansSection, ui.qualitySection)


def tutorial_pictures(studio: Studio) -> None:
    """The tutorial's steps, each as it stands when it is done."""
    from DSIRRegistrationLib.nodes.windows import CHOICES
    from DSIRRegistrationLib.tutorial import FIXED, MOVING, Tutorial

    ui = studio.ui
    ct, mr, truth = head_pair(2)
    opened = {n: (ui.scansSection,) for n in range(1, 5)} | {
        5: (ui.qualitySection,), 6: (ui.qualitySection,), 7: (ui.similaritySection,), 8: (ui.similaritySection,),
        9: (ui.scansSection, ui.similaritySection), 10: (ui.qualitySection,),
    }  # fmt: skip

    def load() -> tuple[Any, Any]:
        scans = studio.add(FIXED, ct), studio.add(MOVING, mr)
        show_layers(scans[0], scans[1], 0.5)
        return scans

    def done(number: int) -> None:
        studio.picture(f"tutorial_{number:02d}", *opened[number], fit=number < 7 or number == 10)
        if number == 6:
            ui.windowSelector.setCurrentIndex(CHOICES.index("brain"))
        if number == 4:
            found = studio.panel.parameters.transform.GetTransformFromParent()
            places = ct.lattice.to_world(np.argwhere(ct.data.numpy() > 0)[::997])
            apart = np.linalg.norm(
                np.array([found.TransformPoint(*p) for p in places]) - truth.transform_points(places), axis=1
            )
            print(json.dumps({"registration_error_mm": {"mean": apart.mean(), "max": apart.max()}}))

    studio.panel.parameters.threads = 1
    Tutorial(studio.panel, load=load, done=done).walk()


def _save_node(node: Any, path: str) -> None:
    storage = node.CreateDefaultStorageNode()
    storage.SetFileName(path)
    storage.WriteData(node)


def main() -> int:
    """Those that are asked for; all by default."""
    out, wanted = Path(sys.argv[1]), sys.argv[2:] or ["panel", "verdicts", "tutorial"]
    out.mkdir(parents=True, exist_ok=True)
    keep_none_alive()
    studio = Studio(out)
    if "panel" in wanted:
        panel_pictures(studio)
        studio.scene.Clear(False)
    if "verdicts" in wanted:
        verdict_pictures(studio)
        studio.scene.Clear(False)
    if "tutorial" in wanted:
        tutorial_pictures(studio)
    studio.widget.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main())
