"""From nodes to nodes: what is made, what is left alone, and what a run that fails leaves behind."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from dsir.errors import Cancelled, DsirError
from dsir.warp.images import warp_image
from DSIRRegistrationLib.logic import RegistrationLogic
from DSIRRegistrationLib.nodes.segments import layers
from DSIRRegistrationLib.nodes.volumes import array_of, image_of, lattice_of
from DSIRRegistrationLib.quality import REPORT
from DSIRRegistrationLib.task import Task
from mrml_scene import FakeEngine, FakeProcess, add_volume, ball, known_transform, node_ids, vtk_points
from test_nodes_structures import add_segmentation


def found_by(engine: FakeEngine, fixed):
    return engine.transform(lattice_of(fixed).with_spacing(4.0))


def test_the_warped_volume_is_the_engines_on_the_fixed_voxels(pair, engine) -> None:
    fixed, moving = pair
    made = RegistrationLogic(engine).register(fixed, moving)
    expected = warp_image(image_of(moving), found_by(engine, fixed), lattice_of(fixed)).data.numpy()
    assert lattice_of(made.warped).matches(lattice_of(fixed))
    assert array_of(made.warped).dtype == np.int16
    assert np.abs(array_of(made.warped) - expected).max() <= 1.0


def test_the_transform_applied_to_the_moving_scan_gives_the_same_picture(pair, engine) -> None:
    fixed, moving = pair
    made = RegistrationLogic(engine).register(fixed, moving)
    lattice = lattice_of(fixed)
    points = lattice.to_world(np.random.default_rng(0).uniform(3, 18, (100, 3)))
    expected = found_by(engine, fixed).transform_points(points)
    assert np.abs(vtk_points(made.transform.GetTransformFromParent(), points) - expected).max() < 1e-3


def test_the_transform_knows_its_pair_its_settings_and_its_report(pair, engine) -> None:
    fixed, moving = pair
    node = RegistrationLogic(engine).register(fixed, moving, settings="fast").transform
    assert node.GetNodeReference(slicer.vtkMRMLTransformNode.GetFixedNodeReferenceRole()) is fixed
    assert node.GetNodeReference(slicer.vtkMRMLTransformNode.GetMovingNodeReferenceRole()) is moving
    assert "preset fast" in node.GetDescription() and "0 folds" in node.GetDescription()
    assert json.loads(node.GetAttribute(REPORT))["folds"] == 0


def test_nothing_is_applied_and_no_input_changes(pair, engine, scene) -> None:
    fixed, moving = pair
    before = [(array_of(node).copy(), lattice_of(node).affine, node.GetMTime()) for node in pair]
    RegistrationLogic(engine).register(fixed, moving)
    for node, (values, affine, changed) in zip(pair, before, strict=True):
        assert np.array_equal(array_of(node), values) and np.array_equal(lattice_of(node).affine, affine)
        assert node.GetMTime() == changed and node.GetParentTransformNode() is None


def test_two_runs_into_the_same_nodes_leave_one_set(pair, engine, scene) -> None:
    logic = RegistrationLogic(engine)
    made = logic.register(*pair, jacobian=True)
    after_one = node_ids(scene)
    again = logic.register(*pair, outputTransform=made.transform, outputVolume=made.warped, jacobian=made.jacobian)
    assert node_ids(scene) == after_one
    assert again.transform is made.transform and again.warped is made.warped


def test_the_jacobian_map_is_one_where_nothing_moves(pair, engine) -> None:
    made = RegistrationLogic(FakeEngine(lambda lattice: known_transform(lattice, linear=False))).register(
        *pair, jacobian=True
    )
    values = array_of(made.jacobian)
    assert np.allclose(values[0, 0, 0], 1, atol=0.02) and 0.3 < values.min() < 0.95


def test_masks_start_and_settings_reach_the_engine(pair, engine, scene) -> None:
    fixed, moving = pair
    label = add_volume(scene, "mask", np.ones((22, 20, 24), np.uint8), _affine(fixed), "vtkMRMLLabelMapVolumeNode")
    lattice = lattice_of(moving)
    organs = add_segmentation(scene, moving, {"body": ball(lattice, lattice.centre, 15)})
    start = scene.AddNewNodeByClass("vtkMRMLTransformNode", "start")
    seen = {}

    class Looks(FakeEngine):
        def register(self, arguments):
            given = dict(zip(arguments[1::2], arguments[2::2], strict=False))
            seen.update(given, settings=json.loads(Path(given["--settings"]).read_text()))
            return super().register(arguments)

    RegistrationLogic(Looks()).register(
        fixed,
        moving,
        settings={"preset": "fast", "discrete": {"captures": [60.0, 12.0]}},
        fixedMask=label,
        movingMask=(organs, "body"),
        initialTransform=start,
    )
    assert seen["--preset"] == "fast" and seen["settings"]["discrete"]["captures"] == [60.0, 12.0]
    assert {"--fixed-mask", "--moving-mask", "--initial"} <= set(seen)


def _affine(node) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def test_structures_come_along_as_clones_beside_the_fixed_scan(pair, engine, scene) -> None:
    fixed, moving = pair
    lattice = lattice_of(moving)
    masks = {"organ": ball(lattice, lattice.centre, 14), "tumour": ball(lattice, lattice.centre + 4, 6)}
    organs = add_segmentation(scene, moving, masks)
    marks = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "marks")
    marks.AddControlPoint(vtk.vtkVector3d(*lattice.centre), "centre")
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*lattice.centre)
    sphere.SetRadius(10)
    sphere.Update()
    model = scene.AddNewNodeByClass("vtkMRMLModelNode", "surface")
    model.SetAndObserveMesh(sphere.GetOutput())
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "planning CT")
    tree.CreateItem(study, fixed)

    made = RegistrationLogic(engine).register(fixed, moving, structures=[organs, marks, model])

    transform = found_by(engine, fixed)
    carried, points, surface = made.structures
    there = transform.transform_points(np.array(points.GetNthControlPointPositionWorld(0))[None])
    assert np.abs(there - lattice.centre).max() < 0.01
    index = np.stack(np.meshgrid(*map(np.arange, lattice_of(fixed).shape), indexing="ij"), -1)
    inside = np.linalg.norm(
        transform.transform_points(lattice_of(fixed).to_world(index).reshape(-1, 3)) - lattice.centre, axis=1
    ).reshape(index.shape[:3])
    for layer in layers(carried, None):
        for segment, radius in (("organ", 14), ("tumour", None)):
            if segment in layer.segments and radius:
                found = (layer.labels == layer.segments.index(segment) + 1).sum()
                assert found == pytest.approx((inside <= radius).sum(), rel=0.1)
    assert {s for layer in layers(carried, None) for s in layer.segments} == {"organ", "tumour"}
    moved = np.array([surface.GetMesh().GetPoint(n) for n in range(surface.GetMesh().GetNumberOfPoints())])
    radius = np.linalg.norm(transform.transform_points(moved) - lattice.centre, axis=1)
    assert np.abs(radius - 10).max() < 0.05
    for node in made.structures:
        assert tree.GetItemParent(tree.GetItemByDataNode(node)) == study
    assert np.allclose(marks.GetNthControlPointPositionWorld(0), lattice.centre)


def test_volumes_under_linear_parents_are_registered_where_they_stand(pair, engine, scene) -> None:
    fixed, moving = pair
    parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "table")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 7.0)
    parent.SetMatrixTransformToParent(matrix)
    fixed.SetAndObserveTransformNodeID(parent.GetID())
    made = RegistrationLogic(engine).register(fixed, moving)
    assert lattice_of(made.warped).matches(lattice_of(fixed)) and made.warped.GetParentTransformNode() is parent
    expected = warp_image(image_of(moving), found_by(engine, fixed), lattice_of(fixed)).data.numpy()
    assert np.abs(array_of(made.warped) - expected).max() <= 1.0


class Endless(FakeEngine):
    """Never ends by itself."""

    def __init__(self) -> None:
        super().__init__(polls=10**9)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the runs' private folders go, so that what stays is seen."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_cancel_ends_the_process_removes_the_files_and_leaves_the_scene(pair, scene, temporary) -> None:
    engine, before = Endless(), node_ids(scene)
    run = RegistrationLogic(engine).start(Task(fixed=pair[0], moving=pair[1]))
    for _ in range(10):
        assert not run.step()
    assert list(temporary.iterdir())
    run.cancel()
    assert engine.processes[0].ended and not list(temporary.iterdir())
    assert node_ids(scene) == before and run.step()


def test_the_callback_can_cancel_a_blocking_run(pair, scene, engine, temporary) -> None:
    before = node_ids(scene)

    def stop(stage, fraction, message) -> None:
        if stage == "linear":
            raise Cancelled("Stopped by the script.")

    with pytest.raises(Cancelled, match="by the script"):
        RegistrationLogic(engine).register(*pair, progress=stop)
    assert node_ids(scene) == before and not list(temporary.iterdir())


def test_a_failed_engine_leaves_the_scene_and_the_disk_as_they_were(pair, scene, temporary) -> None:
    class Fails(FakeEngine):
        def register(self, arguments):
            print(json.dumps({"error": {"code": "refused", "text": "The two images share no space."}}))
            return 2

    before = node_ids(scene)
    with pytest.raises(DsirError, match="share no space"):
        RegistrationLogic(Fails()).register(*pair)
    assert node_ids(scene) == before and not list(temporary.iterdir())


def test_a_result_that_cannot_be_placed_takes_its_nodes_away_again(pair, scene, engine, monkeypatch) -> None:
    before = node_ids(scene)
    monkeypatch.setattr("DSIRRegistrationLib.registration.place_volume", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        RegistrationLogic(engine).register(*pair)
    assert node_ids(scene) == before


def test_a_scene_that_is_closed_during_the_run_stays_empty(pair, scene, temporary) -> None:
    run = RegistrationLogic(FakeEngine(polls=3)).start(Task(fixed=pair[0], moving=pair[1]))
    run.step()
    run.step()
    run.step()
    scene.Clear(False)
    with pytest.raises((Cancelled, DsirError)):
        run.wait()
    assert not scene.GetNodesByClass("vtkMRMLTransformNode").GetNumberOfItems()
    assert not list(temporary.iterdir())


def test_the_same_volume_twice_is_refused(pair, engine) -> None:
    with pytest.raises(DsirError, match="same volume"):
        RegistrationLogic(engine).register(pair[0], pair[0])


def test_an_evaluation_says_before_and_after(pair, engine, scene) -> None:
    fixed, moving = pair
    logic = RegistrationLogic(engine)
    made = logic.register(fixed, moving)
    transform = found_by(engine, fixed)
    a, b = (scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", n) for n in ("a", "b"))
    for n, point in enumerate(lattice_of(fixed).to_world(np.array([[8, 8, 8], [12, 10, 14.0]]))):
        a.AddControlPoint(vtk.vtkVector3d(*point), f"L{n}")
        b.AddControlPoint(vtk.vtkVector3d(*transform.transform_points(point[None])[0]), f"L{n}")
    lattice = lattice_of(moving)
    ours = add_segmentation(scene, moving, {"Organ": ball(lattice, lattice.centre, 12)})
    theirs = logic.apply(made.transform, [ours], fixed)[0]
    found = logic.evaluate(made.transform, fixedNode=fixed, segmentations=(theirs, ours), landmarks=(a, b))
    assert found["landmarks"]["after"]["mean"] < 0.01 < found["landmarks"]["before"]["mean"]
    (organ,) = found["labels"].values()
    assert organ["name"] == "Organ" and organ["after"]["dice"] > 0.97 > organ["before"]["dice"]


def test_a_similarity_map_peaks_where_the_structure_is(pair, engine, scene) -> None:
    before = node_ids(scene)
    point = lattice_of(pair[0]).centre
    node, shown = RegistrationLogic(engine).similarityMap(*pair, point)
    values = slicer.util.arrayFromVolume(node)
    assert values.max() == pytest.approx(shown.answer.best.similarity, abs=0.05) and "similarity" in shown.sentence
    assert {scene.GetNodeByID(i).GetClassName() for i in node_ids(scene) - before} == {
        "vtkMRMLScalarVolumeNode",
        "vtkMRMLScalarVolumeDisplayNode",
    }


def test_features_are_unit_vectors_on_an_isotropic_grid(pair, engine) -> None:
    node = RegistrationLogic(engine).features(pair[0], descriptor="mind", spacing=4.0)
    values = slicer.util.arrayFromVolume(node)
    assert node.GetSpacing() == pytest.approx((4, 4, 4))
    norms = np.linalg.norm(values, axis=-1)
    assert np.allclose(norms[norms > 0.5], 1, atol=1e-3)


def test_the_fake_process_keeps_the_protocol() -> None:
    process = FakeProcess(1, 0)
    assert process.poll() is None and process.poll() == 0
