"""From a click on Apply to a saved scene that opens again: ``python Testing/slicer/panel_to_scene.py [CASE ...]``.

The panel (the real one, on the stand-in for Slicer's Qt and on real MRML) registers two public scans with its own
engine, one match is accepted, and the scene is saved as ``.mrb``, cleared and opened. Exits 1 where something of it did
not come back. The scans are no part of the project; without them the command says so and measures nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "DSIRRegistration"), str(ROOT / "Testing" / "slicer")]

import slicer  # noqa: E402
import slicer.util  # noqa: E402
import standin  # noqa: E402

standin.install(ROOT / "DSIRRegistration" / "DSIRRegistration.py")  # the panel's modules need it when they are imported

import qt  # noqa: E402
from dsir.files.images import read_image  # noqa: E402
from dsir.geometry.body_mask import body_mask  # noqa: E402
from DSIRRegistrationLib import parameters  # noqa: E402
from DSIRRegistrationLib.keep_none_alive import keep_none_alive  # noqa: E402
from DSIRRegistrationLib.nodes.segments import names  # noqa: E402
from DSIRRegistrationLib.nodes.transforms import map_points  # noqa: E402
from DSIRRegistrationLib.pairs import landmarks  # noqa: E402
from mrml_scene import add_volume, drawn  # noqa: E402

from DSIRRegistration import DSIRRegistrationWidget  # noqa: E402

ASKED = 12
"""Places that the user clicks; the surest match is accepted."""


def open_scene() -> tuple[slicer.vtkMRMLScene, slicer.vtkMRMLApplicationLogic, list[object]]:
    """An empty scene with what a Slicer has for saving and opening it."""
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    application = slicer.vtkMRMLApplicationLogic()
    application.SetMRMLScene(scene)
    logics = [slicer.vtkSlicerSubjectHierarchyModuleLogic(), slicer.vtkSlicerSegmentationsModuleLogic()]
    for logic in logics:
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
    scene.RegisterNodeClass(slicer.vtkMRMLMarkupsJsonStorageNode())  # the Markups module has done it in Slicer
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    return scene, application, logics


def fill(scene: slicer.vtkMRMLScene, p: parameters.Parameters, folder: Path) -> np.ndarray:
    """Both scans, and what is drawn on the moving one; (N, 3) RAS mm of places in the fixed body."""
    fixed, moving = read_image(folder / "fixed.nii.gz"), read_image(folder / "moving.nii.gz")
    p.fixed = add_volume(scene, "fixed scan", fixed.data.numpy(), fixed.lattice.affine)
    p.moving = add_volume(scene, "moving scan", moving.data.numpy(), moving.lattice.affine)
    labels = folder / "moving_seg.nii.gz"
    if labels.is_file():
        values = read_image(labels).data.numpy()
        masks = {f"organ_{n:.0f}": values == n for n in np.unique(values) if n}
        parameters.set_structures(p, [drawn(scene, p.moving, masks, "organs")])
    places = fixed.lattice.to_world(body_mask(fixed).nonzero().numpy())
    return np.random.default_rng(0).permutation(places)


def accept_the_surest(panel, places: np.ndarray) -> None:
    """Click, look, and accept the match with the highest chance among a few."""
    tried = []
    for place in places:
        panel.similarity.point.place(place)
        if panel.similarity.shown is not None:
            tried.append((panel.similarity.shown.chance, *place))
        if len(tried) == ASKED:
            break
    panel.similarity.point.place(np.array(max(tried)[1:]))
    panel.ui.acceptButton.click()


def held(p: parameters.Parameters, places: np.ndarray) -> dict[str, np.ndarray | str]:
    """What must be the same before and after."""
    pairs = landmarks(p.fixedPairs, p.movingPairs)
    role = slicer.vtkMRMLTransformNode
    joins = (role.GetFixedNodeReferenceRole(), role.GetMovingNodeReferenceRole())
    chosen = (p.fixed, p.moving, p.transform, p.warped, p.fixedPairs, p.movingPairs, *parameters.structures(p))
    segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return {
        "segments": ", ".join(f"{node.GetName()} {len(names(node))}" for node in segmentations) or "none",
        "transform (mm)": map_points(p.transform, places[:2000], to_moving=True),
        "warped scan": slicer.util.arrayFromVolume(p.warped),
        "pairs (mm)": np.hstack([pairs.fixed, pairs.moving]),
        "confidence of pairs": pairs.confidence,
        "panel's references": ", ".join(node.GetName() for node in chosen),
        "transform joins": ", ".join(p.transform.GetNodeReference(name).GetName() for name in joins),
        "report": p.transform.GetAttribute("DSIR.Report") or "",
    }


def one(name: str, folder: Path, temporary: Path) -> bool:
    """Register, accept, save, open, compare."""
    scene, application, _logics = open_scene()
    application.SetTemporaryPath(str(temporary))
    widget = DSIRRegistrationWidget()
    widget.parent.show()
    widget.enter()
    panel, ui = widget.panel, widget.panel.ui
    places = fill(scene, panel.parameters, folder)
    panel.parameters.threads = 1

    def wait(until: Callable[[], bool]) -> float:
        began = time.monotonic()
        while panel.run is not None and not until():
            qt.QApplication.processEvents()
            time.sleep(0.005)
        return time.monotonic() - began

    def never() -> bool:
        return False

    began = time.monotonic()
    ui.applyButton.click()
    starting = ui.stageLabel.text
    wait(lambda: ui.stageLabel.text != starting)
    first, said = time.monotonic() - began, ui.stageLabel.text
    wait(lambda: ui.progressBar.value > 0 and ":" in ui.stageLabel.text)
    engine, heard = time.monotonic() - began, ui.stageLabel.text
    wait(never)
    whole = time.monotonic() - began
    print(f"{name}: first progress after {first:.2f} s ({said}), engine after {engine:.1f} s ({heard}), {whole:.0f} s")
    if panel.parameters.transform is None:
        print("  ", ui.messageLabel.text)
        return False
    ui.placeButton.click()
    wait(never)
    accept_the_surest(panel, places)
    before = held(panel.parameters, places)
    widget.exit()
    file = temporary / f"{name}.mrb"
    saved = scene.WriteToMRB(str(file), None)
    scene.Clear(False)
    (temporary / name).mkdir()
    opened = saved and application.OpenSlicerDataBundle(str(file), str(temporary / name))
    widget.enter()
    print(f"   scene of {file.stat().st_size / 1e6:.0f} MB; opened: {bool(opened)}")
    good = bool(opened)
    for what, value in held(panel.parameters, places).items():
        if isinstance(value, str):
            same, words = value == before[what], value if len(value) < 200 else f"{len(value)} characters"
        else:
            apart = float(np.abs(value - before[what]).max()) if value.shape == before[what].shape else np.inf
            same, words = apart < 1e-3, f"{value.shape}, differs by at most {apart:.1g}"
        print(f"   {what}: {words}{'' if same else '  NOT AS SAVED'}")
        good &= same
    print(f"   panel: {ui.pairsLabel.text} {ui.qualityTable.rowCount} figures; Refine on: {ui.refineButton.enabled}")
    good &= bool(ui.refineButton.enabled) and ui.qualityTable.rowCount > 3
    widget.cleanup()
    for selector in widget.parent.findChildren(slicer.qMRMLNodeComboBox):
        selector.setMRMLScene(None)
    return good


def main() -> int:
    """Each case in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=["brain_t1_t2", "abdomen_ct_mr"], metavar="CASE")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "cases", help="folder of scans")
    options = parser.parse_args()
    keep_none_alive()
    good = True
    for name in options.cases:
        if not (options.data / name / "fixed.nii.gz").is_file():
            print(f"{name} is left out: its scans are not in the data folder (--data).")
            continue
        with tempfile.TemporaryDirectory(prefix="dsir-") as temporary:
            good &= one(name, options.data / name, Path(temporary))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
