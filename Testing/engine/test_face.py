"""``import dsir``: any kind of image in, a result with everything one does with it out."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import dsir
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import torch
from dicom_made import make_series
from dsir.cli.main import main
from dsir.face.images import as_image, as_labels
from dsir.files.images import write_image, write_labels
from dsir.geometry.lattice import Lattice
from dsir.registration.presets import preset
from phantoms import COARSE, bright_on_dark, dark_on_bright, lattice_of, render

pytestmark = pytest.mark.slow

SHIFT = np.array([6.0, -4.0, 5.0])
"""mm: the fixed point x lies at x + SHIFT in the moving image."""

TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


QUICK = preset("fast", spacing=6.0)
"""For who asks whether something is heard, and not how well it is found."""


def scan(
    view: Callable[[np.ndarray], np.ndarray], shift: np.ndarray | None = None, grid: Lattice | None = None
) -> dsir.Image:
    """The phantom; what lies at x without a shift lies at x + shift with one."""
    moved = None if shift is None else lambda points: np.broadcast_to(-shift, points.shape)
    return render(grid or lattice_of(), view, moved)


@pytest.fixture(scope="module")
def result() -> dsir.Registration:
    fixed, moving = scan(dark_on_bright), scan(dark_on_bright, SHIFT)
    return dsir.register(fixed, moving, preset="fast", model="rigid")


class MetaTensor(torch.Tensor):
    """What MONAI's has: channels first, an affine, and the space it is in."""

    affine: torch.Tensor
    meta: dict


def meta_tensor(values: np.ndarray, affine: np.ndarray, space: str) -> MetaTensor:
    made = torch.from_numpy(values[None]).as_subclass(MetaTensor)
    made.affine, made.meta = torch.from_numpy(affine), {"space": space}
    return made


def test_importing_dsir_is_quick_and_brings_no_torch() -> None:
    program = (
        "import sys, time; began = time.perf_counter(); import dsir; took = time.perf_counter() - began; "
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules; print(took); assert 'register' in dir(dsir)"
    )
    took = min(
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )
    assert took < 0.2


def test_a_name_that_dsir_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'regsiter'"):
        dsir.regsiter  # noqa: B018


@pytest.mark.parametrize("kind", ["path", "sitk", "nibabel", "metatensor", "metatensor in LPS", "tuple", "4-D nibabel"])
def test_every_kind_of_image_lies_at_the_same_place(kind: str, tmp_path: Path) -> None:
    lattice = Lattice((4, 5, 6), np.block([[TURN * [1.0, 2.0, 3.0], np.array([[7.0], [-8], [9]])], [0, 0, 0, 1]]))
    values = np.random.default_rng(0).normal(size=lattice.shape).astype(np.float32)
    affine = lattice.affine.copy()
    image = dsir.Image(torch.from_numpy(values), lattice)
    if kind == "path":
        given = tmp_path / "a.nrrd"
        write_image(given, image)
    else:
        given = {
            "sitk": lambda: dsir.to_sitk(image),
            "nibabel": lambda: nibabel.Nifti1Image(values, affine),
            "4-D nibabel": lambda: nibabel.Nifti1Image(values[..., None], affine),
            "metatensor": lambda: meta_tensor(values, affine, "RAS"),
            "metatensor in LPS": lambda: meta_tensor(values, np.diag([-1.0, -1, 1, 1]) @ affine, "SpaceType.LPS"),
            "tuple": lambda: (values, affine),
        }[kind]()
    read = as_image(given)
    assert read.lattice.matches(lattice, 1e-4)
    assert np.array_equal(read.data.numpy(), values)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (3.0, "float is no image"),
        ((np.zeros((3, 3, 3)), np.eye(4)), "constant"),
        ((np.full((3, 3, 3), np.nan), np.eye(4)), "NaN"),
        ((np.arange(9).reshape(3, 3), np.eye(4)), "3-D volume"),
        ((np.ones((3, 3, 3), complex), np.eye(4)), "complex128"),
        (sitk.Image([3, 3, 3], sitk.sitkVectorFloat32, 3), "one number a voxel"),
        ("nowhere.nii.gz", "does not exist"),
    ],
)
def test_what_is_no_scan_is_refused_in_a_sentence(given: object, sentence: str) -> None:
    with pytest.raises(dsir.DsirError, match=sentence):
        as_image(given)


def test_labels_keep_their_values_and_a_scan_is_no_label_map() -> None:
    values = np.arange(27).reshape(3, 3, 3)
    labels, _ = as_labels((values, np.eye(4)))
    assert labels.dtype == torch.int32 and np.array_equal(labels.numpy(), values)
    with pytest.raises(dsir.DsirError, match="whole numbers"):
        as_labels((values - 0.5, np.eye(4)))
    with pytest.raises(dsir.DsirError, match="whole numbers from 0 on; for a scan use"):
        as_labels((np.random.default_rng(0).integers(0, 4095, (9, 9, 9)), np.eye(4)))


def test_a_rigid_registration_is_rigid_and_finds_the_shift(result: dsir.Registration) -> None:
    moved = result.transform.transform_points(np.array([[0.0, 0, 0], [20, 10, -10]]))
    assert np.abs(moved - [[0, 0, 0], [20, 10, -10]] - SHIFT).max() < 0.5
    assert result.report["deformation"]["kept"] is False
    assert result.settings.linear.model == "rigid"


def test_the_warped_image_is_the_fixed_one(result: dsir.Registration) -> None:
    before = (result.moving.data - result.fixed.data).abs().mean()
    after = (result.warped.data - result.fixed.data).abs().mean()
    assert after < 0.25 * before


def test_points_and_labels_of_the_moving_scan_come_onto_the_fixed(result: dsir.Registration) -> None:
    points = np.array([[10.0, 0.0, 0.0], [0.0, -20.0, 15.0]])
    assert np.abs(result.apply(points=points) - (points - SHIFT)).max() < 0.5
    lattice = result.moving.lattice
    labels = np.zeros(lattice.shape, np.uint8)
    labels[20:26, 20:26, 16:22] = 7
    carried = result.apply(labels=(labels, lattice.affine)).labels.numpy()
    assert set(np.unique(carried)) == {0, 7}
    centre = [lattice.to_world(np.argwhere(found == 7).mean(0)) for found in (labels, carried)]
    assert np.abs(centre[1] - (centre[0] - SHIFT)).max() <= 1.5  # half a voxel


def test_points_come_from_a_file_too_and_what_is_none_is_a_sentence(result: dsir.Registration, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("x,y,z\n10,20,30\n")
    assert np.allclose(result.apply(points=tmp_path / "p.csv"), result.apply(points=[[10, 20, 30]]))
    with pytest.raises(dsir.DsirError, match="or a file of points"):
        result.apply(points=[["left", 2, 3]])


def test_the_home_folder_is_told_where_no_shell_tells_it(
    result: dsir.Registration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    result.save("~/result", brief=True)
    assert (tmp_path / "result/transform.h5").is_file() and not (tmp_path / "~").exists()
    assert dsir.read("~/result/warped.nii.gz").data.shape == result.fixed.data.shape


def test_a_mesh_of_the_moving_scan_comes_onto_the_fixed(result: dsir.Registration, tmp_path: Path) -> None:
    file = tmp_path / "triangle.ply"
    head = "ply\nformat ascii 1.0\ncomment SPACE=RAS\nelement vertex 3\nproperty float x\nproperty float y\n"
    head += "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
    file.write_text(head + "0 0 0\n10 0 0\n0 10 0\n3 0 1 2\n")
    points, normals = result.apply(mesh=file)
    assert normals is None
    assert np.abs(points - (np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]]) - SHIFT)).max() < 0.5


def test_one_thing_at_a_time_is_applied(result: dsir.Registration) -> None:
    for given in ({}, {"points": [[0, 0, 0]], "image": result.moving}):
        with pytest.raises(dsir.DsirError, match="Give one of"):
            result.apply(**given)
    with pytest.raises(dsir.DsirError, match=r"\(N, 3\)"):
        result.apply(points=[1.0, 2.0, 3.0])


def test_simpleitk_resamples_to_the_same_image_by_our_transform(result: dsir.Registration) -> None:
    by_itk = sitk.Resample(dsir.to_sitk(result.moving), dsir.to_sitk(result.fixed), result.to_sitk(), sitk.sitkLinear)
    ours, theirs = result.warped.data.numpy(), sitk.GetArrayFromImage(by_itk).T
    middle = (slice(8, -8),) * 3
    assert np.abs(ours[middle] - theirs[middle]).max() < 0.5  # of 1000


def test_itk_gets_the_same_transform_or_a_sentence(result: dsir.Registration) -> None:
    if find_spec("itk") is None:
        with pytest.raises(dsir.DsirError, match="pip install itk"):
            result.to_itk()
        return
    points = np.array([[3.0, -8.0, 12.0], [-20.0, 10.0, 4.0]])
    found = [result.to_itk().TransformPoint([-x, -y, z]) for x, y, z in points]  # ITK counts in LPS
    assert np.allclose(np.array(found) * (-1, -1, 1), result.transform.transform_points(points), atol=1e-6)


@pytest.mark.skipif(find_spec("trame_slicer") is None, reason="trame-slicer is missing: the viewer was not opened")
def test_a_result_is_shown_in_the_viewer_until_it_is_closed(result: dsir.Registration, tmp_path: Path) -> None:
    shown = dsir.show(result, out=tmp_path, descriptor="mind", browser=False)
    with urllib.request.urlopen(shown.address, timeout=60) as page:
        assert page.status == 200 and b"<html" in page.read().lower()
    shown.close()
    with pytest.raises(OSError):
        urllib.request.urlopen(shown.address, timeout=5)


def test_a_viewer_that_says_much_is_not_held_up(
    result: dsir.Registration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More is written than a pipe holds; the file is made once all of it is."""
    talkative, done = tmp_path / "talkative", tmp_path / "done"
    talkative.write_text(
        f"#!{sys.executable}\nimport pathlib, time\nprint('http://127.0.0.1:1/', flush=True)\n"
        f"print(('x' * 79 + '\\n') * 20000, flush=True)\npathlib.Path({str(done)!r}).touch()\ntime.sleep(60)\n"
    )
    talkative.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(talkative))
    shown = dsir.show(result, out=tmp_path, browser=False)
    for _ in range(200):
        if done.exists():
            break
        time.sleep(0.05)
    shown.close()
    assert done.exists()


def test_a_notebook_shows_the_picture_in_the_place_of_a_page(
    result: dsir.Registration, monkeypatch: pytest.MonkeyPatch
) -> None:
    display = pytest.importorskip("IPython.display")
    given: list[object] = []
    monkeypatch.setattr("dsir.face.show._in_notebook", lambda: True)
    monkeypatch.setattr(display, "display", given.append)
    assert dsir.show(result) is None and given == [result]


def test_the_result_is_saved_and_not_over_another(result: dsir.Registration, tmp_path: Path) -> None:
    report = result.save(tmp_path / "out", brief=True)
    assert report["linear"]["model"] == "rigid"
    assert (tmp_path / "out" / "transform.h5").is_file() and (tmp_path / "out" / "warped.nii.gz").is_file()
    with pytest.raises(dsir.DsirError, match="holds files already"):
        result.save(tmp_path / "out", brief=True)


def test_a_notebook_shows_picture_warnings_and_figures(result: dsir.Registration) -> None:
    verdict = {"level": "CHECK", "reasons": [{"text": "Look at x < y."}]}
    report = {**result.report, "warnings": ["A <sentence>."], "verdict": verdict}
    judged = replace(result, found=replace(result.found, report=report))
    assert judged.verdict == verdict
    page = judged._repr_html_()
    picture = re.search(r'base64,([^"]+)"', page)
    assert picture and base64.b64decode(picture[1]).startswith(b"\x89PNG")
    assert "A &lt;sentence&gt;." in page and ">CHECK</b> Look at x &lt; y." in page
    assert "Linear part" in page and re.search(r">rigid</td>.*>8\.[5-9] mm</td>.*>0\.\d°</td>", page)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"preset": "nonsense"}, "no preset"),
        ({"model": "bent"}, "no linear model called 'bent'"),
        ({"settings": {"spacing": 3}}, "A dict is no RegistrationSettings"),
    ],
)
def test_names_that_nobody_knows_are_refused_before_anything_is_read(words: dict, sentence: str) -> None:
    with pytest.raises(dsir.DsirError, match=sentence):
        dsir.register("nowhere.nii.gz", "nowhere.nii.gz", **words)


def test_a_query_finds_the_voxel_in_the_other_scan() -> None:
    fixed, moving = scan(dark_on_bright), scan(bright_on_dark, SHIFT)
    answer = dsir.query(fixed, [12.0, -9.0, 6.0], moving, descriptor="mind")
    assert np.linalg.norm(answer.best.point - (np.array([12.0, -9.0, 6.0]) + SHIFT)) < 4.0
    with pytest.raises(dsir.DsirError, match=r"outside the image, which reaches R -66\.\.66, A -75\.\.75"):
        dsir.query(fixed, [300.0, 0.0, 0.0], moving, descriptor="mind")


def test_quiet_leaves_the_answer_of_query_and_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, labels = tmp_path / "a.nii.gz", tmp_path / "labels.nii.gz"
    image = scan(dark_on_bright)
    write_image(file, image)
    write_labels(labels, (image.data > 500).int(), image.lattice)
    assert main(["query", "-q", "--image", str(file), "--ras", "0", "0", "0", "--descriptor", "mind"]) == 0
    assert '"best"' in capsys.readouterr().out
    transform = tmp_path / "t.tfm"
    sitk.WriteTransform(sitk.AffineTransform(3), str(transform))
    known = ["--fixed-labels", str(labels), "--moving-labels", str(labels)]
    assert main(["evaluate", "-q", "--transform", str(transform), *known]) == 0
    said = capsys.readouterr()
    assert "Dice" in said.out and said.err == ""


def test_a_result_is_one_line_where_only_text_is_shown(result: dsir.Registration) -> None:
    assert repr(result).startswith("<Registration: rigid, no deformation, similarity 0.")
    assert "\n" not in repr(result)


def test_dicom_of_two_persons_is_refused_unless_it_is_said(tmp_path: Path) -> None:
    lattice = lattice_of(shape=(24, 26, 22), spacing=(5.0, 5.0, 5.0))
    for name in ("one", "two"):
        make_series(tmp_path / name, lattice, values=dark_on_bright)
    for file in (tmp_path / "two").iterdir():
        header = pydicom.dcmread(file)
        header.PatientID = "SOMEBODY-ELSE"
        header.save_as(file)
    with pytest.raises(dsir.DsirError, match=r"different persons.*different_patients=True"):
        dsir.register(tmp_path / "one", tmp_path / "two")
    found = dsir.register(tmp_path / "one", tmp_path / "two", settings=QUICK, model="rigid", different_patients=True)
    assert any("two different persons" in sentence for sentence in found.warnings)
    assert found.verdict["level"] in ("PASS", "CHECK", "FAIL")


def test_a_start_is_taken_as_matrix_simpleitk_transform_or_file_and_stays_a_part(tmp_path: Path) -> None:
    fixed, moving = scan(dark_on_bright, grid=COARSE), scan(dark_on_bright, SHIFT, COARSE)
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    in_lps = sitk.TranslationTransform(3, [-6.0, 4.0, 5.0])
    sitk.WriteTransform(in_lps, str(tmp_path / "start.tfm"))
    for start in (matrix, in_lps, tmp_path / "start.tfm"):
        found = dsir.register(fixed, moving, settings=QUICK, model="none", initial=start)
        assert found.transform.transform_points(np.zeros((1, 3))) == pytest.approx(SHIFT[None], abs=1e-6)


def test_a_start_that_makes_it_worse_is_said() -> None:
    fixed, moving = scan(dark_on_bright, grid=COARSE), scan(dark_on_bright, SHIFT, COARSE)
    wrong = np.eye(4)
    wrong[:3, 3] = -2 * SHIFT
    found = dsir.register(fixed, moving, settings=QUICK, model="none", initial=wrong)
    assert any("lowers the similarity" in sentence for sentence in found.warnings)


def test_landmarks_and_masks_are_heard() -> None:
    fixed, moving = scan(dark_on_bright, grid=COARSE), scan(dark_on_bright, SHIFT, COARSE)
    points = np.array([[10.0, 0, 0], [0, 12, 0], [0, 0, -9], [-10, -8, 6]])
    mask = np.zeros(fixed.lattice.shape, dtype=bool)
    mask[4:-4, 4:-4, 4:-4] = True
    found = dsir.register(
        fixed, moving, settings=QUICK, model="rigid", fixed_mask=mask, landmarks=(points, points + SHIFT)
    )
    assert found.report["landmarks"]["after"]["mean_mm"] < 0.5 < found.report["landmarks"]["before"]["mean_mm"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"fixed_mask": np.ones((2, 2, 2))}, "fixed mask has the shape"),
        ({"fixed_mask": "zeros"}, "holds no voxel"),
        ({"initial": "nonsense"}, "."),
        ({"initial": 3}, "is no transform"),
        ({"landmarks": (np.zeros((2, 3)), np.zeros((3, 3)))}, "are no pairs"),
        ({"landmarks": 7}, "CSV file"),
    ],
)
def test_what_is_no_start_is_refused_in_a_sentence(words: dict, sentence: str) -> None:
    fixed = scan(dark_on_bright, grid=COARSE)
    if words.get("fixed_mask") is not None and isinstance(words["fixed_mask"], str):
        words = {"fixed_mask": np.zeros(fixed.lattice.shape)}
    with pytest.raises(dsir.DsirError, match=sentence):
        dsir.register(fixed, fixed, preset="fast", model="none", **words)


def test_dicom_of_one_person_never_grows(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        make_series(tmp_path / folder, COARSE)
    found = dsir.register(tmp_path / "a", tmp_path / "b", settings=QUICK, model="none")
    assert found.settings.same_person is True
