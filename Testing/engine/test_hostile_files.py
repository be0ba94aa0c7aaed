"""Files that lie, lack something or were spoiled on the way: refused in a sentence, or said; never taken in silence."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_made import ball, make_rtstruct, make_series
from dsir.cli.main import main
from dsir.cli.options import use_threads
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.files.images import geometry_remarks, read_image
from dsir.files.points import read_points
from dsir.files.transforms import read_transform
from dsir.geometry.lattice import Lattice
from dsir.processors import available
from dsir.progress import silent
from dsir.registration.repeatable import repeatable
from dsir.registration.settings import RegistrationSettings
from dsir.rt.structures_in import read_rtstruct
from dsir.shapes.structure import short_names
from dsir.structures.segmentations import read_segmentation
from dsir.workflow.given_transform import read_given_transform

VALUES = np.random.default_rng(0).normal(size=(12, 11, 10)).astype(np.float32)
GRID = Lattice((12, 11, 10), np.diag([-2.0, -2.0, 3.0, 1.0]))


def compressed(folder: Path, kind: str) -> Path:
    """The volume in a compressed file of a kind."""
    path = folder / f"scan{kind}"
    if kind == ".nii.gz":
        nib.save(nib.Nifti1Image(VALUES, np.diag([2.0, 2.0, 3.0, 1.0])), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(path), useCompression=True)
    return path


@pytest.mark.parametrize("kind", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("where", [0.4, 0.95])
def test_a_bit_that_turned_over_in_compressed_voxels_is_seen(kind: str, where: float, tmp_path: Path) -> None:
    path = compressed(tmp_path, kind)
    read_image(path)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 4
    path.write_bytes(content)
    with pytest.raises(DsirError, match="checksum of its compressed voxels does not fit"):
        read_image(path)


def test_a_gzip_without_its_checksum_or_with_another_one_is_seen(tmp_path: Path) -> None:
    whole = compressed(tmp_path, ".nii.gz").read_bytes()
    for number, content in enumerate((whole[:-8], whole[:-8] + b"\0\0\0\0" + whole[-4:], whole + b"junk")):
        (tmp_path / f"{number}.nii.gz").write_bytes(content)
        with pytest.raises(DsirError, match="checksum of its compressed voxels does not fit"):
            read_image(tmp_path / f"{number}.nii.gz")
    plain = gzip.decompress(whole)
    (tmp_path / "two.nii.gz").write_bytes(gzip.compress(plain[:999]) + gzip.compress(plain[999:]))  # as bgzip writes
    assert np.array_equal(read_image(tmp_path / "two.nii.gz").data.numpy(), VALUES)


def fewer(content: bytes, kind: str) -> bytes:
    """The same file with a header that says one voxel less along the first axis."""
    if kind in (".nii", ".nii.gz"):
        plain = bytearray(gzip.decompress(content) if kind == ".nii.gz" else content)
        plain[42:44] = np.int16(11).tobytes()
        return gzip.compress(plain) if kind == ".nii.gz" else bytes(plain)
    return content.replace(b"sizes: 12 11 10", b"sizes: 11 11 10").replace(b"DimSize = 12 11", b"DimSize = 11 11")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_more_voxels_than_the_header_says_are_seen(kind: str, compress: bool, tmp_path: Path) -> None:
    path = tmp_path / f"scan{kind}"
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.T), str(path), useCompression=compress)
    assert np.array_equal(read_image(path).data.numpy(), VALUES)
    path.write_bytes(fewer(path.read_bytes(), kind))
    with pytest.raises(DsirError, match="holds 440 bytes more than its header says"):
        read_image(path)


@pytest.mark.parametrize("kind", [".nhdr", ".mhd"])
def test_so_are_those_in_a_file_beside_it(kind: str, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.T), str(tmp_path / f"scan{kind}"))
    read_image(tmp_path / f"scan{kind}")
    (beside,) = (file for file in tmp_path.iterdir() if file.suffix == ".raw")
    beside.write_bytes(beside.read_bytes() + b"\0" * 8)
    with pytest.raises(DsirError, match="holds 8 bytes more than its header says"):
        read_image(tmp_path / f"scan{kind}")


def test_so_are_those_written_as_text(tmp_path: Path) -> None:
    head = ["NRRD0005", "type: float", "dimension: 3", "sizes: 2 2 2", "encoding: ascii", "space: LPS"]
    head += ["space directions: (1,0,0) (0,1,0) (0,0,1)", "space origin: (0,0,0)", "", ""]
    for count, sound in ((8, True), (9, False)):
        (tmp_path / "a.nrrd").write_text("\n".join(head) + " ".join(map(str, range(count))))
        if sound:
            assert read_image(tmp_path / "a.nrrd").data.flatten().sum() == 28
        else:
            with pytest.raises(DsirError, match="more than its header says"):
                read_image(tmp_path / "a.nrrd")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["scan.nii", "scan.nrrd"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    for read in (read_image, read_transform):
        with pytest.raises(DsirError, match="is no regular file"):
            read(tmp_path / name)


@pytest.mark.parametrize("slope", [np.inf, -np.inf])
def test_an_infinite_slope_is_refused_and_none_is_none(slope: float, tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    nib.save(nib.Nifti1Image(VALUES, np.eye(4)), path)
    content = bytearray(path.read_bytes())
    for given in (np.nan, slope):  # nibabel writes NaN where there is none
        content[112:116] = np.float32(given).tobytes()
        path.write_bytes(content)
        if np.isnan(given):
            assert np.array_equal(read_image(path).data.numpy(), VALUES)
    with pytest.raises(DsirError, match="slope of its values is infinite"):
        read_image(path)


def test_an_image_that_lies_elsewhere_is_no_empty_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, at in (("here", 0.0), ("far", 500.0)):
        affine = np.diag([2.0, 2.0, 3.0, 1.0])
        affine[0, 3] = at
        nib.save(nib.Nifti1Image(VALUES, affine), tmp_path / f"{name}.nii.gz")
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "id.tfm"))
    words = ["apply", "-t", f"{tmp_path}/id.tfm", "--reference", f"{tmp_path}/here.nii.gz"]
    assert main([*words, "--image", f"{tmp_path}/far.nii.gz", "-o", f"{tmp_path}/out.nii.gz"]) == 2
    assert "Nothing of" in capsys.readouterr().err and not (tmp_path / "out.nii.gz").exists()


def test_one_series_in_two_roles_says_a_thing_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = f"{series_of(tmp_path, without_slope)}"
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "id.tfm"))
    out = f"{tmp_path}/out.nii.gz"
    assert main(["apply", "-t", f"{tmp_path}/id.tfm", "--reference", scan, "--image", scan, "-o", out]) == 0
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count("need not be HU") == 1


def test_voxels_cannot_begin_within_the_header(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(VALUES, np.diag([2.0, 2.0, 3.0, 1.0])), tmp_path / "scan.nii")
    content = bytearray((tmp_path / "scan.nii").read_bytes())
    content[108:112] = np.float32(0).tobytes()
    (tmp_path / "scan.nii").write_bytes(content)
    with pytest.raises(DsirError, match="header makes no sense"):
        read_image(tmp_path / "scan.nii")


def nrrd(path: Path, *fields: str) -> Path:
    head = ["NRRD0005", "type: float", "dimension: 3", "sizes: 12 11 10", "endian: little", "encoding: raw", *fields]
    path.write_bytes("\n".join([*head, "", ""]).encode() + VALUES.tobytes("F"))
    return path


ALONG, FIRST = "space directions: (2,0,0) (0,2,0) (0,0,3)", "space origin: (0,0,0)"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("space: LPS", ALONG, FIRST), ""),
        (("space: right-anterior-superior", ALONG, FIRST, 'space units: "mm" "mm" "mm"'), ""),
        ((), "how its axes lie and how large its voxels are, where it lies: that is made up"),
        (("spacings: 2 2 3",), "how its axes lie, where it lies: that is made up"),
        (("space: LPS", ALONG), "where it lies: that is made up"),
        (("space dimension: 3", ALONG, FIRST), "what its directions are of the patient"),
        (("space: scanner-xyz", ALONG, FIRST), "what its directions are of the patient"),
        (("space: LPS", ALONG, FIRST, 'space units: "um" "um" "um"'), "counts in um; it was read in mm"),
    ],
)
def test_what_an_nrrd_leaves_out_is_said(fields: tuple[str, ...], said: str, tmp_path: Path) -> None:
    remarks = read_image(nrrd(tmp_path / "a.nrrd", *fields)).remarks
    assert said in " ".join(remarks) and bool(remarks) is bool(said)


def test_an_axis_that_is_no_direction_in_space_makes_no_volume(tmp_path: Path) -> None:
    with pytest.raises(DsirError, match="axis that is no direction in space"):
        read_image(nrrd(tmp_path / "a.nrrd", "space: LPS", "space directions: (2,0,0) (0,2,0) none", FIRST))


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("", ""),
        ("TransformMatrix", "how its axes lie"),
        ("Offset", "where it lies"),
        ("ElementSpacing", "how large its voxels are"),
    ],
)
def test_what_a_metaimage_leaves_out_is_said(left_out: str, said: str, tmp_path: Path) -> None:
    head = {"ObjectType": "Image", "NDims": "3", "BinaryData": "True", "TransformMatrix": "1 0 0 0 1 0 0 0 1"}
    head |= {"Offset": "0 0 0", "ElementSpacing": "2 2 3", "DimSize": "12 11 10", "ElementType": "MET_FLOAT"}
    head["ElementDataFile"] = "LOCAL"
    text = "".join(f"{name} = {value}\n" for name, value in head.items() if name != left_out)
    (tmp_path / "a.mha").write_bytes(text.encode() + VALUES.tobytes("F"))
    read_image(tmp_path / "a.mha")
    remarks = geometry_remarks(tmp_path / "a.mha")
    assert said in " ".join(remarks) and bool(remarks) is bool(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y,z\n1,5,2,5,3,5\n", "more cells than its first; are there commas within numbers"),
        ("1,5,2,5,3,5\n", "more than three numbers a line"),
        ("x,x,y,z\n1,2,3,4\n", "a column of coordinates twice"),
    ],
)
def test_tables_of_points_that_can_be_read_in_two_ways_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DsirError, match=said):
        read_points(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text("x,y,z\n1,2,3,\n")  # a comma at the end is none
    assert read_points(tmp_path / "p.csv").points.tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize("position", ["5", "[1, 2]", "[[1, 2, 3]]", '"here"'])
def test_a_position_is_three_numbers(position: str, tmp_path: Path) -> None:
    point = '{"markups": [{"type": "Fiducial", "controlPoints": [{"position": %s}]}]}'
    (tmp_path / "p.mrk.json").write_text(point % position)
    with pytest.raises(DsirError, match="is not a Slicer markups file"):
        read_points(tmp_path / "p.mrk.json")
    (tmp_path / "p.mrk.json").write_text("[" * 100_000)
    with pytest.raises(DsirError, match="is not a Slicer markups file"):
        read_points(tmp_path / "p.mrk.json")


@pytest.mark.parametrize(("system", "sign"), [("= LPS", -1), ("= 1", -1), ("= RAS", 1), ("= 0", 1), (None, 1)])
def test_slicers_older_fiducials_say_their_coordinates(system: str | None, sign: int, tmp_path: Path) -> None:
    head = ["# Markups fiducial file version = 4.11", f"# CoordinateSystem {system}", "# columns = id,x,y,z,ow"]
    lines = [head[0], *([head[1]] if system else []), head[2], '1,10,20,30,0,0,0,1,1,1,0,"F, one",,', ""]
    (tmp_path / "p.fcsv").write_text("\n".join(lines))
    file = read_points(tmp_path / "p.fcsv")
    assert file.points.tolist() == [[sign * 10.0, sign * 20.0, 30.0]]
    file.write(tmp_path / "q.fcsv", file.points + np.array([1.0, 2.0, 3.0]))
    assert read_points(tmp_path / "q.fcsv").points.tolist() == [[sign * 10.0 + 1, sign * 20.0 + 2, 33.0]]
    assert '"F, one"' in (tmp_path / "q.fcsv").read_text()
    (tmp_path / "p.fcsv").write_text("\n".join(lines).replace("10,20", "10,here"))
    with pytest.raises(DsirError, match="without three numbers"):
        read_points(tmp_path / "p.fcsv")


def test_coordinates_that_no_patient_has_are_refused(tmp_path: Path) -> None:
    points, matrix, field = tmp_path / "far.csv", tmp_path / "far.txt", tmp_path / "far.nii.gz"
    points.write_text("x,y,z\n1,2,3\n1e30,2,3\n")
    matrix.write_text("1 0 0 1e300\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    vectors = np.zeros((6, 6, 6, 1, 3), np.float32)
    vectors[3, 3, 3, 0, 1] = 1e9
    image = nib.Nifti1Image(vectors, np.diag([2.0, 2.0, 2.0, 1.0]))
    image.header.set_intent("vector", name="displacement")
    nib.save(image, field)
    with pytest.raises(DsirError, match=r"far\.csv holds coordinates .* more than a kilometre away"):
        read_points(points)
    for path in (matrix, field):
        with pytest.raises(DsirError, match="kilometre"):
            read_given_transform(path, convention="ras")


@pytest.mark.parametrize("last", ["0 0 0 2", "1 0 0 1"])
def test_a_matrix_that_is_no_affine_is_refused(last: str, tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text(f"1 0 0 4\n0 1 0 0\n0 0 1 0\n{last}\n")
    with pytest.raises(DsirError, match="no affine: the last line of its matrix"):
        read_transform(tmp_path / "m.txt", convention="ras")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("0,1 0 0 0 0 0", "is not a number"),
        ("nan 0 0 0 0 0", "NaN or infinite"),
        ("0 0 0", "takes 6 parameters, not 3"),
        ("0 0 0 0 0 0 0 0", "takes 6 parameters, not 8"),
    ],
)
def test_parameters_over_which_itk_ends_the_process_are_refused(parameters: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "turn.tfm"
    sitk.WriteTransform(sitk.Euler3DTransform(), str(path))
    path.write_text(path.read_text().replace("Parameters: 0 0 0 0 0 0", f"Parameters: {parameters}"))
    with pytest.raises(DsirError, match=said):
        read_transform(path)


def test_so_are_too_few_in_a_matlab_file(tmp_path: Path) -> None:
    path = tmp_path / "turn.mat"
    sitk.WriteTransform(sitk.Euler3DTransform(), str(path))
    read_transform(path)
    content = bytearray(path.read_bytes())
    content[4], at = 3, 20 + content[16]  # rows of the first matrix
    path.write_bytes(content[: at + 24] + content[at + 48 :])
    with pytest.raises(DsirError, match="takes 6 parameters, not 3"):
        read_transform(path)


def test_a_field_of_another_place_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nib.save(nib.Nifti1Image(VALUES, np.eye(4)), tmp_path / "here.nii.gz")
    far = np.eye(4)
    far[0, 3] = 400
    field = nib.Nifti1Image(np.ones((*VALUES.shape, 1, 3), np.float32), far)
    field.header.set_intent(1007)
    nib.save(field, tmp_path / "far.nii.gz")
    (tmp_path / "points.csv").write_text("x,y,z\n1,2,3\n")
    words = ["apply", "-t", f"{tmp_path}/far.nii.gz", "-o"]
    scans = ["--reference", f"{tmp_path}/here.nii.gz", "--image", f"{tmp_path}/here.nii.gz"]
    assert main([*words, f"{tmp_path}/out.nii.gz", *scans]) == 2
    assert "none of the fixed scan lies on its grid" in capsys.readouterr().err
    assert main([*words, f"{tmp_path}/out.csv", "--points", f"{tmp_path}/points.csv"]) == 0
    printed = capsys.readouterr()
    assert "No place of the points lies on the grid" in printed.out + printed.err


def test_a_transform_that_mirrors_says_so(tmp_path: Path) -> None:
    for first, said in ((-1.0, True), (1.0, False)):
        affine = sitk.AffineTransform(3)
        affine.SetMatrix((first, 0, 0, 0, 1, 0, 0, 0, 1))
        sitk.WriteTransform(affine, str(tmp_path / "t.tfm"))
        remarks = read_given_transform(tmp_path / "t.tfm").remarks
        assert ("exchanges left and right" in " ".join(remarks)) is said


def series_of(folder: Path, change: Callable[[int, pydicom.Dataset], None]) -> Path:
    """A CT whose slices were changed."""
    made = make_series(folder / "ct", GRID, values=lambda world: 40.0 + world[..., 0] + 3 * world[..., 2])
    for number, file in enumerate(sorted(made.iterdir())):
        dataset = pydicom.dcmread(file)
        change(number, dataset)
        dataset.save_as(file)
    return made


def without_slope(number: int, dataset: pydicom.Dataset) -> None:
    del dataset.RescaleSlope, dataset.RescaleIntercept


def test_a_ct_without_a_rescale_slope_says_so_and_an_empty_slope_is_one(tmp_path: Path) -> None:
    series = read_series(series_of(tmp_path, without_slope))
    assert "need not be HU" in " ".join(series.volume().remarks)
    truth = read_series(make_series(tmp_path / "other", GRID, values=lambda w: 40.0 + w[..., 0] + 3 * w[..., 2]))
    assert truth.volume().remarks == ()

    def empty(number: int, dataset: pydicom.Dataset) -> None:
        dataset.RescaleSlope = None

    found = read_series(series_of(tmp_path / "empty", empty)).volume()
    assert np.array_equal(found.data, truth.volume().data) and found.remarks == ()


def of_slice_four(attribute: str, value: float) -> Callable[[int, pydicom.Dataset], None]:
    def change(number: int, dataset: pydicom.Dataset) -> None:
        setattr(dataset, attribute, value if number == 4 else getattr(dataset, attribute))

    return change


@pytest.mark.parametrize(("attribute", "value"), [("RescaleSlope", 1000), ("RescaleIntercept", 0)])
def test_a_ct_whose_slices_are_rescaled_otherwise_says_so(attribute: str, value: float, tmp_path: Path) -> None:
    (remark,) = read_series(series_of(tmp_path, of_slice_four(attribute, value))).volume().remarks
    assert "does not rescale its slices alike" in remark and "need not be HU" in remark


def some_without(number: int, dataset: pydicom.Dataset) -> None:
    if number < 3:
        without_slope(number, dataset)


def by_table(number: int, dataset: pydicom.Dataset) -> None:
    without_slope(number, dataset)
    dataset.ModalityLUTSequence = [pydicom.Dataset()]


def cut_pixels(number: int, dataset: pydicom.Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-20] if number == 4 else dataset.PixelData


def more_pixels(number: int, dataset: pydicom.Dataset) -> None:
    dataset.Rows -= 1


def two_of(attribute: str, one: str, other: str) -> Callable[[int, pydicom.Dataset], None]:
    def change(number: int, dataset: pydicom.Dataset) -> None:
        setattr(dataset, attribute, one if number < 4 else other)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (more_pixels, "slice_000.dcm in .* are more than its rows"),
        (two_of("FrameOfReferenceUID", "1.2.3", "1.2.4"), "its slices are of 2 frames of reference"),
        (two_of("PatientID", "a", "b"), "its slices are of 2 patients"),
        (two_of("Modality", "CT", "MR"), "its slices are of 2 modalities"),
        (two_of("PhotometricInterpretation", "MONOCHROME1", "MONOCHROME2"), "2 kinds of brightness"),
        (two_of("Units", "BQML", "CNTS"), "its slices are of 2 units"),
        (of_slice_four("RescaleSlope", -1), "some of its slices have a negative rescale slope"),
        (of_slice_four("RescaleSlope", 0), "slice_004.dcm says that its rescale slope is 0"),
        (some_without, "3 of its 10 slices say no rescale slope"),
        (by_table, "Modality LUT"),
        (cut_pixels, "slice_004.dcm in .* are damaged"),
    ],
)
def test_slices_whose_values_nobody_knows_are_refused(
    change: Callable[[int, pydicom.Dataset], None], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DsirError, match=said):
        read_series(series_of(tmp_path, change)).volume()


def test_two_segments_cannot_own_the_same_voxels(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray((VALUES.T > 0).astype(np.uint8))
    for number, name in enumerate(("liver", "spleen")):
        said = {"ID": f"Segment_{number}", "Name": name, "Layer": "0", "LabelValue": "1"}
        for key, value in said.items():
            image.SetMetaData(f"Segment{number}_{key}", value)
    sitk.WriteImage(image, str(tmp_path / "two.seg.nrrd"))
    with pytest.raises(DsirError, match="liver and spleen both have the value 1 of layer 0"):
        read_segmentation(tmp_path / "two.seg.nrrd")


def test_of_two_structures_with_one_number_the_later_is_named_as_left_out(tmp_path: Path) -> None:
    grid = Lattice((30, 30, 12), np.diag([-2.0, -2.0, 3.0, 1.0]))
    series = read_series(make_series(tmp_path / "ct", grid))
    outlines = ball(grid, grid.centre, 10.0)
    drawn = make_rtstruct(tmp_path / "rs.dcm", grid, {"a": outlines, "b": outlines}, frame=series.frame_of_reference)
    drawn.StructureSetROISequence[1].ROINumber = 1
    drawn.save_as(tmp_path / "rs.dcm")
    found = read_rtstruct(tmp_path / "rs.dcm", series)
    assert [structure.name for structure in found.structures] == ["a"]
    assert "b is left out: its number 1 is another structure's." in found.remarks


def test_names_cut_to_what_dicom_holds_stay_apart() -> None:
    names, said = short_names(["x" * 9 + "1", "x" * 9 + "2", "y"], 8)
    assert names == ["x" * 8, "xxxx (2)", "y"] and len(said) == 2 and "longer than DICOM allows" in said[0]


@pytest.mark.parametrize("words", [["--fixed", ""], ["--fixed="], ["--fixed", "a.nii", "--moving", " "]])
def test_an_empty_word_is_no_folder(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["register", *words, "--out", "out"]) == 2
    assert "is a variable not set?" in capsys.readouterr().err


def test_more_threads_than_processors_only_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    use_threads(9999)
    with repeatable(RegistrationSettings(threads=9999), silent):
        pass
    assert asked[:2] == [available(), available()]


def test_settings_without_an_end_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.json").write_text('{"a":' * 100_000)
    scan = compressed(tmp_path, ".nii.gz")
    words = ["register", "--fixed", str(scan), "--moving", str(scan), "--out", str(tmp_path / "out")]
    assert main([*words, "--settings", str(tmp_path / "s.json")]) == 2
    assert "is not JSON" in capsys.readouterr().err
    (tmp_path / "s.json").write_text('{"spacing": 9, "linear": {}, "spacing": 3}')
    assert main([*words, "--settings", str(tmp_path / "s.json")]) == 2
    assert "'spacing' stands twice" in capsys.readouterr().err
    (tmp_path / "s.json").write_bytes(json.dumps({"spacing": 3}).encode("utf-16"))
    assert main([*words, "--settings", str(tmp_path / "s.json")]) == 2
    assert "it is no text" in capsys.readouterr().err
