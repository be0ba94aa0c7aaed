"""What the numbers of a field mean is what the program that wrote them means, whatever the file is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dsir.cli import main
from dsir.errors import DsirError, TransformError
from dsir.files.displacements import write_displacement_nifti
from dsir.files.images import read_image
from dsir.files.transforms import read_transform, transform_readings, write_transform
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from dsir.warp.images import warp_image
from dsir.workflow.given_transform import read_given_transform
from grids import GRIDS, field_of, points_inside, rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from peer_methods import METHODS, PEERS_PYTHON
from peer_transforms import MOVED

pytestmark = pytest.mark.slow

GRID = GRIDS["oblique"]
LPS = np.array([-1.0, -1.0, 1.0])


def by_itk(path: Path, field: DisplacementField) -> Path:
    """SimpleITK's file of a field; its intent is 1007 in NIfTI, as ANTs and elastix have it."""
    vectors = np.moveaxis(field.vectors.numpy(), 0, -1) * LPS
    image = sitk.GetImageFromArray(np.ascontiguousarray(vectors.transpose(2, 1, 0, 3)), isVector=True)
    image.SetSpacing(field.lattice.spacing.tolist())
    image.SetOrigin((field.lattice.origin * LPS).tolist())
    image.SetDirection((LPS[:, None] * field.lattice.directions).ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


def by_hand(path: Path, values: np.ndarray, intent: int, name: str = "", parameter: float = 0.0) -> Path:
    """A field (3, I, J, K) under any header."""
    file = nib.Nifti1Image(np.moveaxis(values, 0, -1)[:, :, :, None].astype(np.float32), GRID.affine)
    file.header["intent_code"], file.header["intent_p1"], file.header["intent_name"] = intent, parameter, name.encode()
    nib.save(file, path)
    return path


def places() -> np.ndarray:
    return np.moveaxis(GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1)), -1, 0)


@pytest.mark.parametrize("name", ["displacement.nii.gz", "1Warp.nii.gz", "deformationField.nii.gz", "u.nii"])
@pytest.mark.parametrize("writer", ["ITK's vector", "our displacement"])
def test_the_name_of_a_field_means_nothing(tmp_path, name, writer):
    field, path = field_of(GRID), tmp_path / name
    write_displacement_nifti(path, field) if writer == "our displacement" else by_itk(path, field)
    assert int(nib.load(path).header["intent_code"]) == (1006 if writer == "our displacement" else 1007)
    points = points_inside(GRID)
    assert np.abs(read_transform(path).transform_points(points) - field.transform_points(points)).max() < 1e-3
    again = sitk.DisplacementFieldTransform(sitk.ReadImage(str(path), sitk.sitkVectorFloat64))
    seen = np.array([again.TransformPoint(p) for p in (points * LPS).tolist()]) * LPS
    assert np.abs(seen - field.transform_points(points)).max() < 1e-3  # and ITK means the same by the same file


@pytest.mark.parametrize("name", ["u.mha", "u.mhd", "u.nrrd", "u.nhdr"])
def test_fields_in_itks_own_formats_are_lps(tmp_path, name):
    field, points = field_of(GRID), points_inside(GRID)
    read = read_transform(by_itk(tmp_path / name, field))
    assert np.abs(read.transform_points(points) - field.transform_points(points)).max() < 1e-3


def test_an_nrrd_that_counts_in_ras_is_not_guessed(tmp_path):
    path = by_itk(tmp_path / "u.nrrd", field_of(GRID))
    path.write_bytes(path.read_bytes().replace(b"left-posterior-superior", b"right-anterior-superior", 1))
    assert set(transform_readings(path)) == {"lps", "ras"}
    with pytest.raises(DsirError, match=r"u\.nrrd does not say .* --field-convention"):
        read_transform(path)


@pytest.mark.parametrize(
    ("intent", "name", "parameter", "positions"),
    [(1007, "NREG_TRANS", 0, True), (1007, "NREG_TRANS", 1, False), (1007, "Mapping", 0, True), (1007, "", 0, True)],
    ids=["NiftyReg's deformation", "NiftyReg's displacement", "SPM's deformation", "positions without a word"],
)
def test_niftyreg_and_spm_mean_ras_and_mostly_positions(tmp_path, intent, name, parameter, positions):
    field = field_of(GRID)
    values = field.vectors.numpy() + (places() if positions else 0)
    read = read_transform(by_hand(tmp_path / "u.nii.gz", values, intent, name, parameter))
    points = points_inside(GRID)
    assert np.abs(read.transform_points(points) - field.transform_points(points)).max() < 1e-3


@pytest.mark.parametrize(
    ("intent", "name", "parameter", "words"),
    [
        (1007, "NREG_TRANS", 2, "splines of NiftyReg"),
        (1007, "NREG_TRANS", 4, "velocities of NiftyReg"),
        (1007, "NREG_TRANS", 9, "something else of NiftyReg"),
        (2006, "", 0, "a warp of FSL"),
        (2007, "", 0, "a warp of FSL"),
    ],
)
def test_what_is_no_displacement_in_mm_is_refused_with_a_way_out(tmp_path, intent, name, parameter, words):
    path = by_hand(tmp_path / "u.nii.gz", field_of(GRID).vectors.numpy(), intent, name, parameter)
    with pytest.raises(TransformError, match=words):
        read_transform(path)


@pytest.mark.parametrize("name", ["u.mha", "u.nrrd", "u.nii.gz"])
def test_positions_in_lps_are_positions_in_whatever_file(tmp_path, name):
    field = field_of(GRID)
    at = DisplacementField(field.vectors + torch.from_numpy(places()).float(), GRID)
    read = read_transform(by_itk(tmp_path / name, at))
    points = points_inside(GRID)
    assert np.abs(read.transform_points(points) - field.transform_points(points)).max() < 1e-3


def test_positions_that_are_no_millimetres_are_refused(tmp_path):
    values = np.indices(GRID.shape) + field_of(GRID).vectors.numpy() / GRID.spacing.mean()
    path = by_hand(tmp_path / "u.nii.gz", values, 1007)
    with pytest.raises(TransformError, match="neither RAS nor LPS mm"):
        read_transform(path)
    path = by_hand(tmp_path / "u.nii.gz", field_of(GRID).vectors.numpy() + places(), 1006)
    with pytest.raises(TransformError, match="says that it holds displacements"):
        read_transform(path)


def test_a_field_that_turns_and_grows_is_none_of_positions(tmp_path):
    turned = 1.2 * rotation(170.0)
    field = field_of(GRID, lambda x: (x - GRID.centre) @ turned.T - (x - GRID.centre))
    read = read_transform(by_itk(tmp_path / "u.mha", field))
    points = points_inside(GRID)
    assert np.abs(read.transform_points(points) - field.transform_points(points)).max() < 1e-3


def test_an_nrrd_that_turns_its_vectors_does_not_say_what_they_are(tmp_path):
    path = by_itk(tmp_path / "u.nrrd", field_of(GRID))
    frame = b"measurement frame: (-1,0,0) (0,-1,0) (0,0,1)\nspace origin:"
    path.write_bytes(path.read_bytes().replace(b"space origin:", frame, 1))
    assert set(transform_readings(path)) == {"lps", "ras"}


def test_a_flow_and_an_unknown_kind_are_named(tmp_path):
    path = by_hand(tmp_path / "u_rc1.nii", field_of(GRID).vectors.numpy(), 0)
    file = nib.load(path)
    file.header["descrip"] = "Flow Field"
    nib.save(nib.Nifti1Image(np.array(file.dataobj), file.affine, file.header), path)
    with pytest.raises(TransformError, match="a flow of SPM's DARTEL"):
        read_transform(path)
    text = "#Insight Transform File V1.0\n#Transform 0\nTransform: BSplineDeformableTransform_double_3_3\n"
    (tmp_path / "old.tfm").write_text(text + "Parameters: 0\nFixedParameters: 1\n")
    with pytest.raises(TransformError, match="holds a BSplineDeformableTransform, a kind of B-spline"):
        read_transform(tmp_path / "old.tfm")


def test_bare_matrices_and_parameter_files_are_named_for_what_they_are(tmp_path):
    (tmp_path / "affine.txt").write_text("1 0 0 5\n0 1 0 7\n0 0 1 9\n0 0 0 1\n")
    (tmp_path / "flirt.mat").write_text("1 0 0 5  \n0 1 0 7  \n0 0 1 9  \n0 0 0 1  \n")
    for name in ("affine.txt", "flirt.mat"):
        with pytest.raises(TransformError, match="bare 4 x 4 matrix"):
            read_transform(tmp_path / name)
    origin = np.zeros((1, 3))
    assert read_transform(tmp_path / "affine.txt", convention="ras").transform_points(origin).tolist() == [[5, 7, 9]]
    assert read_transform(tmp_path / "affine.txt", convention="lps").transform_points(origin).tolist() == [[-5, -7, 9]]
    (tmp_path / "TransformParameters.0.txt").write_text('(Transform "EulerTransform")\n(NumberOfParameters 6)\n')
    with pytest.raises(TransformError, match="parameter file of elastix"):
        read_transform(tmp_path / "TransformParameters.0.txt")


@pytest.fixture(scope="module")
def scans() -> tuple[Image, Image, DisplacementField]:
    """A textured ball and the same bent and shifted."""
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -60
    grid = Lattice((41, 41, 41), affine)
    noise = torch.as_tensor(np.random.default_rng(0).standard_normal((1, *grid.shape)), dtype=torch.float32)
    radius = np.linalg.norm(np.moveaxis(np.indices(grid.shape), 0, -1) - 20, axis=-1)
    ball = torch.from_numpy(radius < 17)
    moving = Image((500 + 4000 * gaussian_blur(noise, 2.0)[0]).clamp(min=50) * ball, grid)
    field = field_of(grid, lambda x: np.stack([6 + 0 * x[..., 0], -5 + 0 * x[..., 0], 3 * np.sin(x[..., 0] / 20)], -1))
    return warp_image(moving, Transform((field,)), grid), moving, field


@pytest.mark.parametrize("truth", ["lps", "ras"])
def test_without_a_word_the_images_decide_or_else_it_is_asked(tmp_path, scans, truth):
    fixed, moving, field = scans
    values = field.vectors.movedim(0, -1).numpy() * (LPS if truth == "lps" else 1.0)
    nib.save(nib.Nifti1Image(values.astype(np.float32), field.lattice.affine), tmp_path / "u.nii.gz")
    given = read_given_transform(tmp_path / "u.nii.gz", fixed=fixed, moving=moving)
    assert np.allclose(given.transform.parts[0].vectors, field.vectors, atol=1e-4)
    assert truth.upper() in given.remarks[0]
    with pytest.raises(DsirError, match="--field-convention"):
        read_given_transform(tmp_path / "u.nii.gz", fixed=fixed)
    told = read_given_transform(tmp_path / "u.nii.gz", convention=truth)
    assert np.allclose(told.transform.parts[0].vectors, field.vectors, atol=1e-4) and not told.remarks


def test_images_that_fit_equally_well_by_both_are_no_answer(tmp_path, scans):
    fixed, moving, field = scans
    nib.save(
        nib.Nifti1Image(np.full((*fixed.lattice.shape, 3), 0.1, np.float32), field.lattice.affine), tmp_path / "u.nii"
    )
    with pytest.raises(DsirError, match="fit equally well by both"):
        read_given_transform(tmp_path / "u.nii", fixed=fixed, moving=moving)


def test_every_command_asks_for_the_convention_and_takes_it(tmp_path, scans, capsys):
    fixed, moving, field = scans
    from dsir.files.images import write_image, write_labels

    write_image(tmp_path / "fixed.nii.gz", fixed)
    write_image(tmp_path / "moving.nii.gz", moving)
    write_labels(tmp_path / "labels.nii.gz", (moving.data > 0).int(), moving.lattice)
    nib.save(nib.Nifti1Image(field.vectors.movedim(0, -1).numpy(), field.lattice.affine), tmp_path / "u.nii.gz")
    (tmp_path / "p.csv").write_text("fx,fy,fz,mx,my,mz\n0,0,0,6,-5,0\n")
    u, fix, lab = (str(tmp_path / name) for name in ("u.nii.gz", "fixed.nii.gz", "labels.nii.gz"))
    commands = {
        "apply": ["apply", "-t", u, "--reference", fix, "--labels", lab, "-o", str(tmp_path / "a.nii.gz")],
        "propagate": ["propagate", "-t", u, "--labels", lab, "--fixed", fix, "-o", str(tmp_path / "b.nii.gz")],
        "evaluate": ["evaluate", "-t", u, "--landmarks", str(tmp_path / "p.csv"), "--json"],
        "truth": ["evaluate", "-t", str(tmp_path / "id.tfm"), "--truth", u, "--json"],
    }
    write_transform(tmp_path / "id.tfm", Transform())
    for name, command in commands.items():
        assert main(command) == 2 and "--field-convention" in capsys.readouterr().err, name
        assert main([*command, "--field-convention", "ras"]) == 0, name


def test_a_start_that_makes_it_worse_is_said(tmp_path, scans, capsys):
    fixed, moving, _ = scans
    from dsir.files.images import write_image

    write_image(tmp_path / "fixed.nii.gz", fixed)
    write_image(tmp_path / "moving.nii.gz", moving)
    wrong, right = np.eye(4), np.eye(4)
    wrong[:3, 3], right[:3, 3] = [-6, 5, 0], [6, -5, 0]
    for name, matrix in (("wrong", wrong), ("right", right)):
        write_transform(tmp_path / f"{name}.tfm", Transform((Linear(matrix),)))
        command = ["register", "--fixed", str(tmp_path / "fixed.nii.gz"), "--moving", str(tmp_path / "moving.nii.gz")]
        command += ["--initial", str(tmp_path / f"{name}.tfm"), "--preset", "fast", "--rigid", "--brief"]
        assert main([*command, "--out", str(tmp_path / name)]) == 0
        assert ("lowers the similarity" in capsys.readouterr().out) == (name == "wrong")


@pytest.mark.skipif(METHODS["ants-syn"].missing() != "" or METHODS["elastix"].missing() != "", reason="no peers here")
def test_files_that_ants_and_elastix_wrote_themselves(tmp_path):
    script = Path(__file__).resolve().parents[1] / "benchmarks" / "peer_transforms.py"
    subprocess.run([PEERS_PYTHON, script, tmp_path], check=True, capture_output=True, cwd=tmp_path)
    grid = read_image(tmp_path / "fixed.nii.gz").lattice
    points = points_inside(grid, margin=10.0)
    for name in ("ants_1Warp.nii.gz", "ants_0GenericAffine.mat", "deformationField.nii.gz", "deformationField.mha"):
        moved = read_transform(tmp_path / name).transform_points(points) - points
        assert np.abs(moved.mean(0) - MOVED).max() < 0.3, name
    with pytest.raises(TransformError, match="parameter file of elastix"):
        read_transform(tmp_path / "TransformParameters.0.txt")
