"""The result folder of a registration whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dsir.evaluation.deformation import DeformationSettings, random_deformation
from dsir.files.report import fingerprint, run_report
from dsir.files.transforms import read_transform
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.register import RegistrationResult
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from dsir.workflow.result import accurate_inverse, round_trip_error, write_result
from grids import rotation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair() -> tuple[Image, Image, Transform]:
    """An oblique fixed grid, a moving one elsewhere, and a curved transform between them."""
    angle = np.deg2rad(25)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] *= np.array([3.0, 3.0, 5.0])
    fixed = Lattice((28, 26, 18), affine)
    away = np.eye(4)
    away[:3, 3] = (70, -20, 35)
    moving = Lattice((30, 30, 20), away @ affine)
    field = random_deformation(fixed, DeformationSettings(knots=30, amplitude=6), seed=3)
    values = torch.rand(fixed.shape, generator=torch.Generator().manual_seed(0))
    other = torch.rand(moving.shape, generator=torch.Generator().manual_seed(1))
    return Image(values, fixed), Image(other, moving), Transform((field, Linear(away)))


@pytest.fixture(scope="module")
def folder(pair: tuple[Image, Image, Transform], tmp_path_factory: pytest.TempPathFactory) -> Path:
    fixed, moving, transform = pair
    out = tmp_path_factory.mktemp("result") / "out"
    labels = torch.zeros(moving.lattice.shape, dtype=torch.int32)
    labels[10:20, 10:20, 6:14] = 3
    labels[29, 29, 19] = 9  # a corner that the fixed image does not see
    facts = {"seconds": {"descent": 1.5}, "similarity": {"before": 0.2, "after": 0.7}, "warnings": ["A remark."]}
    result = RegistrationResult(transform, RegistrationSettings(), facts)
    write_result(out, fixed, moving, result, moving_labels=(labels, moving.lattice))
    return out


def test_the_displacement_says_where_each_fixed_voxel_lies_in_moving(
    folder: Path, pair: tuple[Image, Image, Transform]
) -> None:
    file = nib.load(folder / "displacement.nii.gz")
    fixed, _, transform = pair
    assert file.shape == (*fixed.lattice.shape, 1, 3)
    assert file.header.get_intent()[0] == "displacement vector"
    voxel = np.array([11, 7, 9])
    x = nib.affines.apply_affine(file.affine, voxel)
    np.testing.assert_allclose(x + file.dataobj[tuple(voxel)][0], transform.transform_points(x)[0], atol=1e-3)


def test_simpleitk_reads_the_transform_and_its_inverse(folder: Path, pair: tuple[Image, Image, Transform]) -> None:
    fixed, _, transform = pair
    x = fixed.lattice.to_world(np.array([13.0, 12, 9]))
    lps = np.array([-1.0, -1.0, 1.0])
    there = np.array(sitk.ReadTransform(str(folder / "transform.h5")).TransformPoint((x * lps).tolist())) * lps
    back = np.array(sitk.ReadTransform(str(folder / "inverse.h5")).TransformPoint((there * lps).tolist())) * lps
    np.testing.assert_allclose(there, transform.transform_points(x)[0], atol=1e-3)
    np.testing.assert_allclose(back, x, atol=0.1)


def test_the_report_repeats_the_run_and_names_no_folder(folder: Path) -> None:
    text = (folder / "report.json").read_text()
    report = json.loads(text)
    assert report["command"] == "register"
    assert RegistrationSettings.from_json(report["settings"]) == RegistrationSettings()
    assert {"dsir", "torch", "numpy", "python"} <= set(report["versions"])
    assert report["similarity"] == {"before": 0.2, "after": 0.7}
    assert report["folds"] == 0
    assert report["inverse_error"]["p95"] < 0.1
    assert report["seconds"]["total"] == pytest.approx(1.5 + report["seconds"]["writing"], rel=1e-3)
    assert "A remark." in report["warnings"]
    assert any("9" in warning for warning in report["warnings"] if "Outside" in warning)
    assert str(folder.parent) not in text


def test_warped_images_lie_on_the_fixed_grid(folder: Path, pair: tuple[Image, Image, Transform]) -> None:
    for name in ("warped.nii.gz", "warped_labels.nii.gz"):
        file = nib.load(folder / name)
        assert file.shape == pair[0].lattice.shape
        np.testing.assert_allclose(file.affine, pair[0].lattice.affine, atol=1e-4)
    assert set(np.unique(nib.load(folder / "warped_labels.nii.gz").dataobj)) == {0, 3}


def test_an_inverse_that_misses_is_put_on_a_finer_lattice(pair: tuple[Image, Image, Transform]) -> None:
    fixed, moving, _ = pair
    coarse = fixed.lattice.with_spacing(8.0)
    steep = random_deformation(coarse, DeformationSettings(knots=26, amplitude=8, smallest_jacobian=0.2), seed=1)
    transform = Transform((steep, Linear(pair[2].parts[1].matrix)))
    plain = round_trip_error(transform, transform.inverse(moving.lattice), fixed.lattice, moving.lattice)
    _, missed = accurate_inverse(transform, fixed.lattice, moving.lattice)
    assert plain["p95"] > 0.2
    assert missed["p95"] < 0.5 * plain["p95"]


def test_a_result_without_a_deformation_is_linear_in_every_file(
    pair: tuple[Image, Image, Transform], tmp_path: Path
) -> None:
    fixed, moving, _ = pair
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(7.0), (70.0, -18.0, 33.0)
    facts = {"similarity": {"start": 0.2, "end": 0.7}, "folds": 0, "sd_log_j": 0.0}
    result = RegistrationResult(Transform((Linear(matrix),)), RegistrationSettings(), facts)
    write_result(tmp_path / "out", fixed, moving, result)
    written = {file.name for file in (tmp_path / "out").iterdir() if not file.name.startswith(".")}
    assert {"transform.h5", "transform.tfm", "matrix.txt", "inverse.h5", "warped.nii.gz", "preview.png"} <= written
    assert "displacement.nii.gz" not in written
    for name in ("transform.h5", "transform.tfm"):
        assert sitk.ReadTransform(str(tmp_path / "out" / name)).IsLinear()
        (part,) = read_transform(tmp_path / "out" / name).parts
        np.testing.assert_allclose(part.matrix, matrix, atol=1e-9)
    (back,) = read_transform(tmp_path / "out" / "inverse.h5").parts
    np.testing.assert_allclose(back.matrix, np.linalg.inv(matrix), atol=1e-9)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "out" / "matrix.txt"), matrix, atol=1e-9)
    assert (tmp_path / "out" / "transform.h5").stat().st_size < 50_000


def test_a_wrong_inverse_is_told(pair: tuple[Image, Image, Transform]) -> None:
    fixed, moving, transform = pair
    matrix = np.eye(4)
    matrix[0, 3] = 2.0
    wrong = transform.inverse(moving.lattice).then(Linear(matrix))
    assert round_trip_error(transform, wrong, fixed.lattice, moving.lattice)["mean"] == pytest.approx(2.0, abs=0.05)


def test_a_report_knows_its_inputs_by_hash_not_by_place(tmp_path: Path) -> None:
    series = tmp_path / "series"
    series.mkdir()
    for name in ("b.dcm", "a.dcm"):
        (series / name).write_bytes(name.encode())
    before = fingerprint(series)
    assert before["files"] == 2
    (series / "a.dcm").write_bytes(b"changed")
    assert fingerprint(series)["sha256"] != before["sha256"]
    report = run_report("register", inputs={"fixed": series, "initial": None}, settings={}, facts={"a": np.float32(1)})
    assert set(report["inputs"]) == {"fixed"}
    assert str(tmp_path) not in str(report)
