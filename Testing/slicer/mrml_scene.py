"""A real MRML scene from the wheel ``slicer-core``, and an engine that gives known answers."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import slicer
import slicer.util
import torch
import vtk
from dsir.files.images import read_image, write_image
from dsir.files.transforms import write_transform
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import determinant
from dsir.transforms.linear import Linear
from dsir.warp.images import warp_image
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[2]


def start_application() -> tuple[slicer.vtkMRMLApplicationLogic, list[slicer.vtkMRMLAbstractLogic]]:
    """An application's logic with an empty scene, and the logics that a Slicer has, to be kept as long as it: subject
    hierarchy, segmentations, and the layouts last."""
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    application = slicer.vtkMRMLApplicationLogic()
    application.SetMRMLScene(scene)
    logics = [slicer.vtkSlicerSubjectHierarchyModuleLogic(), slicer.vtkSlicerSegmentationsModuleLogic()]
    logics.append(slicer.vtkMRMLLayoutLogic())
    for logic in logics:
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
    logics[-1].GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    return application, logics


@pytest.fixture
def application() -> Iterator[slicer.vtkMRMLApplicationLogic]:
    """An application's logic with an empty scene, and the logics that a Slicer has."""
    application, logics = start_application()
    yield application
    logics[-1].SetMRMLScene(None)  # layouts follow no scene into its end
    application.GetMRMLScene().Clear(True)


@pytest.fixture
def scene(application) -> slicer.vtkMRMLScene:
    """Its scene."""
    return application.GetMRMLScene()


def affine(spacing: Sequence[float], angles: Sequence[float] = (0, 0, 0), *, origin=(0, 0, 0), flip: bool = False):
    """An index-to-RAS matrix: oblique by Euler angles in degrees, left-handed with ``flip``."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.array(spacing)
    if flip:
        matrix[:3, 0] *= -1
    matrix[:3, 3] = origin
    return matrix


GRIDS = {
    "straight": affine((2, 2, 2), origin=(-20, -22, -24)),
    "anisotropic": affine((1.5, 2, 4), origin=(-15, -22, -48)),
    "oblique": affine((2, 2.5, 3), (12, -20, 15), origin=(-10, -25, -35)),
    "left-handed": affine((2, 2, 3), (5, 10, -8), origin=(20, -20, -30), flip=True),
}


def add_volume(scene, name: str, values: np.ndarray, matrix: np.ndarray, kind: str = "vtkMRMLScalarVolumeNode"):
    """A volume node from (I, J, K) values."""
    node = scene.AddNewNodeByClass(kind, name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(values.transpose(2, 1, 0)))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    node.CreateDefaultDisplayNodes()
    return node


def drawn(scene, volume, masks: dict[str, np.ndarray], name: str):
    """A segmentation on a volume, (I, J, K) bool by ID (which is the name; no blanks)."""
    from DSIRRegistrationLib.nodes.segments import place_segmentation

    draft = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "draft")
    for segment in masks:
        assert draft.GetSegmentation().AddEmptySegment(segment, segment, (1.0, 0.5, 0.25)) == segment
    placed = place_segmentation(draft, masks, volume, name=name)
    scene.RemoveNode(draft)
    return placed


def ball(lattice: Lattice, centre: Sequence[float], radius: float) -> np.ndarray:
    """(I, J, K) bool: the voxels within ``radius`` mm of a RAS point."""
    index = np.stack(np.meshgrid(*map(np.arange, lattice.shape), indexing="ij"), -1)
    return np.linalg.norm(lattice.to_world(index) - np.asarray(centre), axis=-1) <= radius


@pytest.fixture
def pair(scene):
    """A fixed and a moving volume with structure in them, on different grids."""
    draw = np.random.default_rng(0)

    def volume(name: str, grid: str, shape: tuple[int, int, int]):
        lattice = Lattice(shape, GRIDS[grid])
        values = 1000.0 * ball(lattice, lattice.centre, 16) + 500 * ball(lattice, lattice.centre + 6, 6)
        return add_volume(scene, name, (values + draw.normal(0, 5, shape)).astype(np.int16), GRIDS[grid])

    return volume("CT", "oblique", (22, 20, 24)), volume("MR", "left-handed", (24, 22, 20))


VERDICT = {
    "level": "CHECK",
    "reasons": [{"code": "low_similarity", "level": "CHECK", "text": "Look at the outlines.", "values": {}}],
}
"""What the engine that gives known answers says of them."""


def known_transform(lattice: Lattice, *, linear: bool = True) -> Transform:
    """A smooth field that fades at its border, followed by a rotation and a shift."""
    index = np.stack(np.meshgrid(*(np.linspace(0, np.pi, n) for n in lattice.shape), indexing="ij"))
    bump = np.sin(index).prod(0) ** 2
    vectors = np.stack([4 * bump, -3 * bump, 2 * bump * np.cos(index[0])]).astype(np.float32)
    field = DisplacementField(torch.from_numpy(vectors), lattice)
    turn = affine((1, 1, 1), (3, -2, 4), origin=(2, -1, 3))
    return Transform((field, Linear(turn)) if linear else (field,))


def vtk_points(transform: vtk.vtkAbstractTransform, points: np.ndarray) -> np.ndarray:
    """Points (N, 3) through a VTK transform."""
    return np.array([transform.TransformPoint(*point) for point in points])


class FakeEngine:
    """Starts like the real one, ends at once, and finds the transform it was told to find.

    Attributes:
        started: the arguments of every start.
        polls: how often it is still running when asked, before it ends.
    """

    def __init__(self, transform: Transform | Callable[[Lattice], Transform] | None = None, *, polls: int = 2) -> None:
        self.transform, self.polls = transform or known_transform, polls
        self.started: list[list[str]] = []
        self.processes: list[FakeProcess] = []

    def __call__(self, arguments: Sequence[str], *, output: Path, log: Path) -> FakeProcess:
        self.started.append(list(arguments))
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            code = self.register(arguments) if arguments[0] == "register" else self.other(arguments)
        output.write_text(said.getvalue())
        log.write_text(complained.getvalue())
        self.processes.append(FakeProcess(self.polls, code))
        return self.processes[-1]

    def register(self, arguments: Sequence[str]) -> int:
        """Write what ``dsir register`` writes."""
        given = dict(pairwise(arguments))  # each word, and what follows it
        fixed, moving = read_image(given["--fixed"]), read_image(given["--moving"])
        lattice = fixed.lattice.with_spacing(4.0)
        found = self.transform(lattice) if callable(self.transform) else self.transform
        print(json.dumps({"stage": "linear", "fraction": 0.2, "message": "searching"}))
        facts = {"similarity": {"start": 0.2, "linear": 0.5, "end": 0.7}, "folds": 0, "sd_log_j": 0.1, "coverage": 0.95}
        facts |= {"warnings": ["Something to look at."], "smallest_determinant": 0.7, "seconds": {"linear": 1.0}}
        facts |= {"settings": RegistrationSettings(preset=given["--preset"]).to_json(), "versions": {"dsir": "0.1.0"}}
        facts |= {"linear": {"model": "rigid", "shift_mm": 3.7, "turn_deg": 5.4, "scale_percent": 0.0}}
        facts |= {"deformation": {"kept": True, "volume": 1.01}, "verdict": VERDICT}
        out = Path(given["--out"])
        out.mkdir()
        write_transform(out / "transform.h5", found)
        write_image(out / "warped.nii.gz", warp_image(moving, found, fixed.lattice))
        write_image(out / "jacobian.nii.gz", Image(determinant(found.displacement(fixed.lattice)), fixed.lattice))
        print(json.dumps({"stage": "descent", "fraction": 0.9, "message": "4 mm"}))
        print(json.dumps({"result": given["--out"], "report": facts}))
        return 0

    def other(self, arguments: Sequence[str]) -> int:
        """The real command, in this process."""
        from dsir.cli import main

        return main(list(arguments))


class FakeProcess:
    """A process that ends after it was asked ``polls`` times."""

    def __init__(self, polls: int, code: int) -> None:
        self.polls, self.code, self.ended = polls, code, False

    def poll(self) -> int | None:
        if self.ended:
            return -9
        self.polls -= 1
        return self.code if self.polls < 0 else None

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def engine() -> FakeEngine:
    """The engine that gives known answers."""
    return FakeEngine()


def node_ids(scene) -> set[str]:
    """Everything in the scene."""
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
