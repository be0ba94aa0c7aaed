"""How long the panel's own thread is kept busy at one go, from Apply to the result in the scene.

    python Testing/benchmarks/panel.py [--fixed 512 512 150] [--moving 256 256 180]

The panel is the real one, on a stand-in for Slicer's Qt and on real MRML (slicer-core). The engine's work is done
beforehand, so that handing the scans over and bringing the result in are all that is left; both happen in the thread
that draws Slicer's windows. Given are the longest of the pieces between two turns of the event loop, in processor time
of that thread, which another program on the machine does not lengthen; of the second of two runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "DSIRRegistration"), str(ROOT / "Testing" / "slicer")]

import slicer  # noqa: E402
import slicer.util  # noqa: E402
import standin  # noqa: E402
from dsir.files.images import write_image  # noqa: E402
from dsir.files.transforms import write_transform  # noqa: E402
from dsir.geometry.image import Image  # noqa: E402
from dsir.geometry.lattice import Lattice  # noqa: E402
from dsir.transforms.composite import Linear, Transform  # noqa: E402
from dsir.transforms.field import DisplacementField  # noqa: E402

ALLOWED = 50.0
"""ms that the panel may be kept busy at one go."""


class Done:
    """An engine that had done everything before it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, arguments: Sequence[str], *, output: Path, log: Path) -> Done:
        out = Path(arguments[arguments.index("--out") + 1])
        out.mkdir()
        for file in self.folder.iterdir():
            os.link(file, out / file.name)
        lines = [{"stage": "engine", "fraction": 0.5, "message": ""}, {"result": str(out), "report": {"folds": 0}}]
        output.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return self

    def poll(self) -> int:
        return 0

    def end(self) -> None: ...


def prepare(folder: Path, fixed: Lattice) -> None:
    """What ``dsir register`` would have written: a field on 4 mm with a linear part, the warped image, the Jacobian."""
    draw = np.random.default_rng(0)
    control = fixed.window(np.full(3, -8), tuple(n + 16 for n in fixed.shape)).with_spacing(4.0)
    vectors = torch.from_numpy(draw.normal(0, 1, (3, *control.shape)).astype(np.float32))
    write_transform(folder / "transform.h5", Transform((DisplacementField(vectors, control), Linear(np.eye(4)))))
    noise = torch.from_numpy(draw.normal(0, 300, fixed.shape).astype(np.float32))
    write_image(folder / "warped.nii.gz", Image(noise, fixed))
    write_image(folder / "jacobian.nii.gz", Image(noise / 1000 + 1, fixed))


def grid(shape: Sequence[int], spacing: float) -> Lattice:
    """In the middle of the world."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Lattice(tuple(shape), affine)


def add_volume(scene: slicer.vtkMRMLScene, name: str, lattice: Lattice) -> slicer.vtkMRMLScalarVolumeNode:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    values = np.random.default_rng(1).integers(-1000, 1000, lattice.shape[::-1]).astype(np.int16)
    slicer.util.updateVolumeFromArray(node, values)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(lattice.affine))
    node.CreateDefaultDisplayNodes()
    return node


def main() -> int:
    """Run one registration through the panel; exits 1 where a piece is longer than allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fixed", type=int, nargs=3, default=(512, 512, 150), metavar="N")
    parser.add_argument("--moving", type=int, nargs=3, default=(256, 256, 180), metavar="N")
    options = parser.parse_args()
    fixed, moving = grid(options.fixed, 0.9), grid(options.moving, 1.0)
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    standin.install(ROOT / "DSIRRegistration" / "DSIRRegistration.py")
    import qt

    from DSIRRegistration import DSIRRegistrationWidget

    widget = DSIRRegistrationWidget()
    widget.parent.show()
    widget.enter()
    panel = widget.panel
    pieces: list[tuple[float, str]] = []
    step = panel.work._tick

    def timed() -> None:
        began = time.thread_time()
        step()
        pieces.append((1000 * (time.thread_time() - began), panel.ui.stageLabel.text))

    panel.work._timer.timeout.disconnect()
    panel.work._timer.timeout.connect(timed)
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), fixed)
        panel.logic.launch = Done(Path(name))
        panel.parameters.fixed, panel.parameters.moving = (
            add_volume(scene, "CT", fixed),
            add_volume(scene, "MR", moving),
        )
        panel.parameters.withJacobian = True
        for _ in range(2):  # PySide makes its enumerations when they are first used; PythonQt has none to make
            pieces.clear()
            began = time.monotonic()
            clicked = time.thread_time()
            panel.ui.applyButton.click()
            pieces.append((1000 * (time.thread_time() - clicked), "the click on Apply"))
            while panel.run is not None:
                qt.QApplication.processEvents()
    print(f"{panel.ui.messageLabel.text}\n{len(pieces)} pieces in {time.monotonic() - began:.1f} s; the longest:")
    for milliseconds, stage in sorted(pieces, reverse=True)[:8]:
        print(f"{milliseconds:7.1f} ms  {stage}")
    return int(max(pieces)[0] > ALLOWED or panel.parameters.transform is None)


if __name__ == "__main__":
    sys.exit(main())
