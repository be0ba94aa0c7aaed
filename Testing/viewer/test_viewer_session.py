"""The page's logic without a page: jobs, steering, overlays, saving."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
import slicer.util
from dsir.errors import Cancelled, DsirError
from dsir.files.landmarks import read_landmarks
from dsir.files.points import read_points
from DSIRRegistrationLib.nodes.windows import show_with
from DSIRRegistrationLib.roles import FIXED, MOVING
from DSIRRegistrationLib.viewer import drag_views
from DSIRRegistrationLib.viewer.drag_views import DragViews
from DSIRRegistrationLib.viewer.jobs import Jobs
from DSIRRegistrationLib.viewer.newest_only import NewestOnly
from DSIRRegistrationLib.viewer.overlays import AFTER
from DSIRRegistrationLib.viewer.pointer import Pointer
from DSIRRegistrationLib.viewer.saving import save_results, save_scene
from DSIRRegistrationLib.viewer.session import Session
from DSIRRegistrationLib.viewer.windowing import WindowDrag
from mrml_scene import FakeEngine
from scans import write_pair
from trame_slicer.core import SlicerApp


@pytest.fixture
def session(app: SlicerApp, tmp_path: Path):
    made = Session(app, *write_pair(tmp_path), launch=FakeEngine(polls=1))
    for view in (view for side in made.sides.values() for view in side.views):
        view.render_window().SetSize(300, 300)
        view.fit_view_to_content()
    for _ in made.similarity.compute("mind"):
        pass
    yield made
    made.close()
    app.scene.Clear(False)


def test_a_mouse_press_on_a_real_slice_view_asks_for_the_point_under_it(session: Session) -> None:
    told: list[np.ndarray] = []
    view = session.sides[FIXED].views[0]
    Pointer(view, told.append, lambda: False)
    interactor = view.interactor()
    interactor.SetEventInformation(150, 150, 0, 0)
    interactor.MouseMoveEvent()
    assert not told  # no button, no hovering
    interactor.LeftButtonPressEvent()
    assert np.linalg.norm(told[0][:2] - [0, 0]) < 3.0  # the middle of the view is the middle of the volume
    interactor.SetEventInformation(180, 150, 0, 0)
    interactor.LeftButtonReleaseEvent()
    assert abs(told[-1][0] - told[0][0]) > 5


def test_hovering_asks_without_a_button(session: Session) -> None:
    told: list[np.ndarray] = []
    view = session.sides[MOVING].views[1]
    Pointer(view, told.append, lambda: True)
    view.interactor().SetEventInformation(140, 160, 0, 0)
    view.interactor().MouseMoveEvent()
    assert len(told) == 1


def test_a_click_lays_the_heat_map_over_the_other_image_and_jumps_there(session: Session) -> None:
    shown = session.click(FIXED, np.array([7.0, -9.0, 11.0]), "mind", radius=None, follow=True)
    heat = session.similarity.heat.volume.GetID()
    assert [view.get_foreground_volume_id() for view in session.sides[MOVING].views] == [heat] * 3
    assert all(view.get_foreground_volume_id() is None for view in session.sides[FIXED].views)
    axial = session.sides[MOVING].views[0].get_view_node()
    assert axial.GetSliceOffset() == pytest.approx(shown.match[2], abs=1.1)


def test_register_cancel_leaves_everything_as_it_was(session: Session) -> None:
    session.launch.polls = 10_000
    said: list[str] = []
    jobs = Jobs(lambda *_: None, said.append)

    async def run() -> None:
        work = asyncio.ensure_future(jobs.run(session.register("mind", "fast", progress=jobs.progress)))
        await asyncio.sleep(0.01)
        jobs.cancel()
        assert await work is None

    asyncio.run(run())
    assert said == ["Stopped; nothing was changed."]
    assert session.result.warped is None and session.similarity.transform is None
    assert not jobs.running


def finish(work) -> dict:
    """Step a generator to its end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_accepted_pairs_go_with_a_registration_and_the_last_point_is_asked_again(session: Session, tmp_path) -> None:
    session.click(FIXED, np.array([7.0, -9.0, 11.0]), "mind", radius=None, follow=True)
    assert session.accept() == 1 and session.missed is None  # nothing to miss yet
    finish(session.register("mind", "fast", progress=lambda *_: None))
    words = session.launch.started[-1]
    assert "--landmarks" in words and "--refine" not in words
    assert session.overlays.overlay == AFTER and session.missed.mean() > 0
    assert session.sides[FIXED].views[0].get_foreground_volume_id() == session.result.warped.GetID()
    again = session.click_again("mind", radius=None)
    assert again.apart is not None  # the second cursor: where the transform puts it
    files = save_results(session, tmp_path / "saved")
    assert {"landmarks.csv", "transform.h5", "warped.nii.gz"} <= set(files)


def test_refining_begins_from_the_present_transform(session: Session) -> None:
    finish(session.register("mind", "fast", progress=lambda *_: None))
    former = session.similarity.transform
    session.click(FIXED, np.array([7.0, -9.0, 11.0]), "mind", radius=None, follow=True)
    session.accept()
    finish(session.register("mind", "fast", refine=True, progress=lambda *_: None))
    assert {"--refine", "--landmarks", "--brief"} <= set(session.launch.started[-1])
    assert session.similarity.transform is not former and former.GetScene() is None
    session.undo()
    assert session.similarity.transform is not None and len(session.pairs) == 1  # the result before, the pair still


def test_nothing_to_accept_and_nothing_to_save_are_said_politely(session: Session, tmp_path: Path) -> None:
    with pytest.raises(DsirError, match="no match to accept"):
        session.accept()
    with pytest.raises(DsirError, match="nothing to save"):
        save_results(session, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_a_bad_file_is_one_sentence(app: SlicerApp, tmp_path: Path) -> None:
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    with pytest.raises(DsirError, match=r"bad\.nii\.gz"):
        Session(app, tmp_path / "bad.nii.gz", tmp_path / "bad.nii.gz")


def test_jobs_run_one_at_a_time_and_tell_what_went_wrong() -> None:
    said: list[str] = []
    jobs = Jobs(lambda *_: None, said.append)

    def slow():
        yield
        yield
        return 7

    def broken():
        yield
        raise DsirError("The disk is full.")

    async def run() -> None:
        first = asyncio.ensure_future(jobs.run(slow()))
        await asyncio.sleep(0)
        assert await jobs.run(slow()) is None
        assert await first == 7
        assert await jobs.run(broken()) is None

    asyncio.run(run())
    assert said == ["Something is being computed already; wait for it, or cancel it.", "The disk is full."]
    with pytest.raises(Cancelled):
        jobs._stop = True
        jobs.progress("x", 0.5, "")


def test_the_scene_stays_clean_when_the_session_ends(app: SlicerApp, tmp_path: Path) -> None:
    session = Session(app, *write_pair(tmp_path), launch=FakeEngine())
    folder = Path(session._folder.name)
    session.close()
    assert not folder.exists()
    assert app.scene.GetFirstNodeByName("Similarity") is None


def test_the_patients_sides_and_the_slices_place_are_written_in_each_view(session: Session) -> None:
    axial, coronal, sagittal = (a.words for a in session.sides[FIXED].annotations)
    assert (
        axial[:4] == ("R", "L", "A", "P")
        and coronal[:4] == ("R", "L", "S", "I")
        and sagittal[:4] == ("A", "P", "S", "I")
    )
    session.sides[FIXED].jump(np.array([4.0, -8.0, 12.0]))
    offsets = [annotation.words[4] for annotation in session.sides[FIXED].annotations]
    assert offsets == ["S 12.0 mm", "P 8.0 mm", "R 4.0 mm"]


def test_what_lies_under_the_pointer_is_told_in_mm_value_and_voxel(session: Session) -> None:
    words = session.where(FIXED, np.array([-9.0, 5.0, 1.0]))
    assert words.startswith("fixed: L 9.0  A 5.0  S 1.0 mm · value ") and words.endswith("voxel 20, 30, 23")
    assert session.where(MOVING, np.array([900.0, 0, 0])).endswith("outside")


def test_a_right_drag_changes_contrast_and_brightness_of_its_side_alone(session: Session) -> None:
    view, told = session.sides[FIXED].views[0], []
    WindowDrag(view, lambda: session.windowed(FIXED), lambda: told.append(1))
    shown, other = (session.sides[side].volume.GetDisplayNode() for side in (FIXED, MOVING))
    before, kept = (shown.GetWindow(), shown.GetLevel()), (other.GetWindow(), other.GetLevel())
    interactor = view.interactor()
    interactor.SetEventInformation(100, 100, 0, 0)
    interactor.RightButtonPressEvent()
    interactor.SetEventInformation(150, 120, 0, 0)
    interactor.MouseMoveEvent()
    interactor.RightButtonReleaseEvent()
    interactor.SetEventInformation(10, 10, 0, 0)
    interactor.MouseMoveEvent()  # the button is up: nothing more changes
    assert shown.GetWindow() == pytest.approx(1.2 * before[0]) and shown.GetLevel() < before[1]
    assert (other.GetWindow(), other.GetLevel()) == kept and told == [1]


def test_windows_for_ct_change_cts_alone(session: Session) -> None:
    nodes = [session.sides[side].volume for side in (FIXED, MOVING)]
    array = slicer.util.arrayFromVolume(nodes[0])
    array[:] = np.where(array > 100, 40, -1000)
    kept = nodes[1].GetDisplayNode().GetWindow()
    show_with("lung", *nodes)
    assert (nodes[0].GetDisplayNode().GetWindow(), nodes[0].GetDisplayNode().GetLevel()) == (1500, -600)
    assert nodes[1].GetDisplayNode().GetWindow() == kept


def test_a_newer_place_takes_that_of_one_that_waits_and_the_last_one_is_answered() -> None:
    done: list[int] = []

    async def drag() -> None:
        newest = NewestOnly(lambda place: (time.sleep(0.05), done.append(place)))  # an answer takes longer than a move
        for place in range(20):
            newest.request(place)
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)

    asyncio.run(drag())
    assert done[-1] == 19 and 1 < len(done) < 20 and done == sorted(done)


def test_while_a_point_is_dragged_its_plane_leads_the_others_follow_and_all_come_to_rest(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drag_views, "REST", 0.05)
    rows = [side.views for side in session.sides.values()]
    under = rows[0][1]
    held: list[int] = []

    async def drag() -> None:
        held_back = DragViews(rows)
        for _ in range(2 * drag_views.TURN):
            held_back.move(under)
            assert not rows[0][1].is_render_blocked and not rows[1][1].is_render_blocked
            held.append(sum(view.is_render_blocked for row in rows for view in row))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.15)

    asyncio.run(drag())
    assert held[0] == 0  # a click is drawn everywhere
    assert held[1 : drag_views.TURN] == [4] * (drag_views.TURN - 1) and held[drag_views.TURN] == 0
    assert not any(view.is_render_blocked for row in rows for view in row)


def test_pairs_are_renamed_forgotten_and_come_back(session: Session) -> None:
    for point in ([7.0, -9.0, 11.0], [-12.0, 5.0, 3.0]):
        session.click(FIXED, np.array(point), "mind", radius=None, follow=True)
        session.accept()
    session.rename(0, " thalamus ")
    session.remove(1)
    assert [pair.name for pair in session.pairs.records()] == ["thalamus"]
    session.undo()
    assert [pair.name for pair in session.pairs.records()] == ["thalamus", "2"]
    session.undo()
    session.undo()
    assert [pair.name for pair in session.pairs.records()] == ["1"]
    session.redo()
    assert np.allclose(session.pairs.records()[1].fixed, [-12.0, 5.0, 3.0])
    session.remove(0)
    session.click(FIXED, np.array([1.0, -9.0, 11.0]), "mind", radius=None, follow=True)
    session.accept()
    assert [pair.name for pair in session.pairs.records()] == ["2", "1"]  # no name twice
    session.go_to(0)
    assert session.sides[FIXED].views[0].get_view_node().GetSliceOffset() == pytest.approx(3.0, abs=1.1)


def test_undo_goes_back_before_a_registration_and_redo_after_it(session: Session) -> None:
    finish(session.register("mind", "fast", progress=lambda *_: None))
    found = slicer.util.arrayFromVolume(session.result.warped).copy()
    session.undo()
    assert (
        session.result.transform is None and session.result.warped is None and session.overlays.overlay == "similarity"
    )
    session.redo()
    assert np.array_equal(slicer.util.arrayFromVolume(session.result.warped), found)
    assert session.result.kept.report["verdict"]["level"] and session.overlays.overlay == AFTER


def test_saved_pairs_open_in_other_programs(session: Session, tmp_path: Path) -> None:
    session.click(FIXED, np.array([7.0, -9.0, 11.0]), "mind", radius=None, follow=True)
    session.accept()
    session.rename(0, "thalamus")
    assert save_results(session, tmp_path) == ["fixed.mrk.json", "landmarks.csv", "moving.mrk.json"]
    point = json.loads((tmp_path / "fixed.mrk.json").read_text())["markups"][0]["controlPoints"][0]
    assert point["label"] == "thalamus"
    assert np.allclose(read_points(tmp_path / "fixed.mrk.json").points, [[7.0, -9.0, 11.0]])
    assert np.allclose(read_landmarks(tmp_path / "landmarks.csv").fixed, [[7.0, -9.0, 11.0]])


def test_the_saved_scene_opens_as_slicer_opens_it(session: Session, tmp_path: Path) -> None:
    session.click(FIXED, np.array([7.0, -9.0, 11.0]), "mind", radius=None, follow=True)
    session.accept()
    finish(session.register("mind", "fast", progress=lambda *_: None))
    file = save_scene(session, tmp_path)
    assert session.app.scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode") is None  # it was for the file alone
    other = SlicerApp()
    (tmp_path / "open").mkdir()
    assert other.app_logic.OpenSlicerDataBundle(str(file), str(tmp_path / "open"))
    scene = other.scene
    red = scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    back, front = (scene.GetNodeByID(i) for i in (red.GetBackgroundVolumeID(), red.GetForegroundVolumeID()))
    assert back.GetName() == "ct" and front.GetName() == "mr warped"
    assert np.array_equal(slicer.util.arrayFromVolume(front), slicer.util.arrayFromVolume(session.result.warped))
    pairs = scene.GetFirstNodeByName("DSIR pairs (fixed)")
    assert pairs.GetNumberOfControlPoints() == 1
    assert pairs.GetDisplayNode().GetNumberOfViewNodeIDs() == 0  # seen in Slicer's views, which are none of ours
    assert session.pairs.nodes[FIXED].GetDisplayNode().GetNumberOfViewNodeIDs() == 3
    assert scene.GetFirstNodeByName("DSIR transform") is not None
    assert not [name for name in ("Similarity", "FixedAxial") if scene.GetFirstNodeByName(name)]
