"""``dsir propagate`` from files to files: contours, report, and no patient in either's words."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import torch
from dicom_made import NAME, ball, make_rtstruct, make_series
from dsir.cli.main import main
from dsir.files.images import read_labels, write_labels
from dsir.files.transforms import write_transform
from dsir.geometry.lattice import Lattice
from dsir.shapes.structure import Role
from dsir.structures.segmentations import from_mask, read_segmentation, write_segmentation
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from grids import lattice
from test_dicom_missing_tags import made_dose, made_segmentation

pytestmark = pytest.mark.slow

MOVING = Lattice((48, 44, 16), np.array([[-1.0, 0, 0, 24], [0, -1.0, 0, 22], [0, 0, 3.0, -24], [0, 0, 0, 1]]))
FIXED = lattice((50, 46, 20), (1.1, 1.1, 2.5), centre=(6.0, -4.0, 3.0))
SHIFT = np.array([-6.0, 4.0, -3.0])


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Path:
    """Two series, a transform between them and contours on one."""
    folder = tmp_path_factory.mktemp("case")
    make_series(folder / "ct", FIXED)
    make_series(folder / "mr", MOVING)
    frame = pydicom.dcmread(folder / "mr" / "slice_000.dcm").FrameOfReferenceUID
    rois = {"Blase": ball(MOVING, MOVING.centre, 13.0), "GTV": ball(MOVING, MOVING.centre + np.array([5.0, 0, 0]), 6.0)}
    make_rtstruct(folder / "rs.dcm", MOVING, rois, frame=frame)
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    write_transform(folder / "t.h5", Transform((Linear(matrix),)))
    return folder


def propagate(case: Path, out: Path, *more: str) -> int:
    scans = ("--moving-series", str(case / "mr"), "--fixed-series", str(case / "ct"))
    source = ("--transform", str(case / "t.h5"), "--rtstruct", str(case / "rs.dcm"))
    return main(["propagate", *source, *scans, "--out", str(out), "--threads", "1", *more])


def test_contours_and_report_are_written_and_nothing_names_the_patient(case, tmp_path, capfd):
    out, page = tmp_path / "out.dcm", tmp_path / "report.html"
    assert propagate(case, out, "--report", str(page)) == 0
    said = "".join(capfd.readouterr())
    written = pydicom.dcmread(out)
    assert [r.ROIName for r in written.StructureSetROISequence] == ["Blase", "GTV"]
    centre = np.concatenate(
        [np.array(c.ContourData).reshape(-1, 3) for c in written.ROIContourSequence[0].ContourSequence]
    )
    assert np.abs(centre.mean(0) * [-1, -1, 1] - (MOVING.centre - SHIFT)).max() < 0.5
    rows = list(csv.DictReader((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()))
    facts = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [r["light"] for r in rows] == [s["light"] for s in facts["structures"]] == ["amber", "amber"]
    assert float(rows[0]["centroid_shift_mm"]) == pytest.approx(np.linalg.norm(SHIFT), abs=0.2)
    for text in (said, page.read_text(encoding="utf-8"), json.dumps(facts), str(rows)):
        assert not re.search(r"Secret|ID-4711-Q|Dr\^Who", text)
        assert "rs.dcm" not in text or text == said


def test_the_page_stands_alone(case, tmp_path):
    page = tmp_path / "report.html"
    assert propagate(case, tmp_path / "out.dcm", "--report", str(page), "-q") == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 2
    assert not re.search(r"<script|<link|https?://|src=\"(?!data:)", text)


def test_the_patient_is_named_in_the_report_only_when_asked(case, tmp_path):
    page = tmp_path / "report.html"
    assert propagate(case, tmp_path / "out.dcm", "--report", str(page), "--with-identifiers", "-q") == 0
    assert NAME in page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.json").read_text())["inputs"]["rtstruct"]["name"] == "rs.dcm"


def test_a_rigid_structure_and_the_reference_are_told(case, tmp_path, capfd):
    reference = tmp_path / "reference.dcm"
    assert propagate(case, reference, "-q") == 0
    extra = ("--rigid", "GTV", "--reference", str(reference), "--transform-out", str(tmp_path / "kept.h5"))
    assert propagate(case, tmp_path / "out.dcm", *extra) == 0
    said = capfd.readouterr().out
    assert "GTV moves as a rigid body" in said and "Agrees with the reference" in said
    assert (tmp_path / "kept.h5").is_file()


@pytest.mark.parametrize("kind", [".seg.nrrd", ".nii.gz"])
def test_other_kinds_are_written_on_the_fixed_grid(case, tmp_path, kind):
    out = tmp_path / f"out{kind}"
    assert propagate(case, out, "-q") == 0
    if kind == ".nii.gz":
        labels, grid = read_labels(out)
        assert grid.matches(FIXED) and set(labels.unique().tolist()) == {0, 1}  # the GTV lies inside the bladder
    else:
        found = read_segmentation(out)
        assert found.scan.matches(FIXED) and [s.name for s in found.structures] == ["Blase", "GTV"]


def test_labels_go_in_with_their_names(case, tmp_path):
    index = np.stack(np.meshgrid(*(np.arange(n) for n in MOVING.shape), indexing="ij"), -1)
    mask = np.linalg.norm(MOVING.to_world(index) - MOVING.centre, axis=-1) < 12
    write_labels(tmp_path / "labels.nii.gz", torch.from_numpy(mask.astype(np.int32) * 4), MOVING)
    (tmp_path / "names.csv").write_text("value,name\n4,prostate\n")
    arguments = [
        "--transform",
        case / "t.h5",
        "--labels",
        tmp_path / "labels.nii.gz",
        "--names",
        tmp_path / "names.csv",
    ]
    arguments += ["--fixed-series", case / "ct", "--out", tmp_path / "out.dcm", "-q"]
    assert main(["propagate", *map(str, arguments)]) == 0
    assert pydicom.dcmread(tmp_path / "out.dcm").StructureSetROISequence[0].ROIName == "prostate"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--out": "x.txt"}, "must end in .dcm or .seg.nrrd"),
        ({"--rtstruct": "none.dcm"}, "does not exist"),
        ({"--rigid": "femur"}, "no structure named femur"),
        ({"--fixed-series": "none"}, "does not exist"),
        ({"--dose": "d.dcm"}, "needs both --dose and --dose-out"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(case, tmp_path, capfd, change, words):
    values = {
        "--transform": case / "t.h5",
        "--rtstruct": case / "rs.dcm",
        "--moving-series": case / "mr",
        "--fixed-series": case / "ct",
        "--out": "out.dcm",
    } | change
    values = {k: v if k == "--rigid" or Path(v).is_absolute() else tmp_path / v for k, v in values.items()}
    assert main(["propagate", *(str(x) for pair in values.items() for x in pair), "-q"]) == 2
    said = capfd.readouterr().err.strip()
    assert words in said and len(said.splitlines()) == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("tag", "value", "code", "words"),
    [
        ("FrameOfReferenceUID", "1.2.3", 2, "another frame of reference than the CT series in"),
        ("DoseGridScaling", "0", 2, "Dose Grid Scaling is 0"),
        ("DoseSummationType", "BEAM", 0, "a part of a plan's dose (Dose Summation Type BEAM)"),
        ("DoseType", "EFFECTIVE", 0, "no physical dose"),
        ("DoseUnits", "RELATIVE", 0, "not in Gy (Dose Units RELATIVE)"),
        ("DoseComment", "the plan's", 0, "not validated for dose accumulation"),
    ],
)
def test_a_dose_lies_on_the_moving_scan_and_says_what_it_is_not(case, tmp_path, capfd, tag, value, code, words):
    dose = pydicom.dcmread(made_dose(tmp_path / "dose.dcm"))
    dose.FrameOfReferenceUID = pydicom.dcmread(case / "mr" / "slice_000.dcm").FrameOfReferenceUID
    setattr(dose, tag, value)
    dose.save_as(tmp_path / "dose.dcm")
    out = tmp_path / "out.dcm"
    assert propagate(case, out, "--dose", f"{tmp_path}/dose.dcm", "--dose-out", f"{tmp_path}/dose.nii.gz") == code
    said = "".join(capfd.readouterr())
    assert words in said and out.is_file() == (tmp_path / "dose.nii.gz").is_file() == (code == 0)


@pytest.mark.parametrize(("series", "code"), [(None, 2), ("this", 0), ("another", 2)])
def test_a_dicom_segmentation_lies_on_the_moving_scan(case, tmp_path, capfd, series, code):
    """In its frame of reference, or by its own word on this very series; RTSTRUCTs are asked the same."""
    scan = pydicom.dcmread(case / "mr" / "slice_000.dcm")
    made = pydicom.dcmread(made_segmentation(tmp_path / "s.dcm"))
    made.FrameOfReferenceUID = "1.2.3"
    if series:
        named = pydicom.Dataset()
        named.SeriesInstanceUID = scan.SeriesInstanceUID if series == "this" else "1.2.4"
        made.ReferencedSeriesSequence = [named]
    made.save_as(tmp_path / "s.dcm")
    words = ["-t", case / "t.h5", "--segmentation", tmp_path / "s.dcm", "--moving-series", case / "mr"]
    words += ["--fixed-series", case / "ct", "--out", tmp_path / "x.nii.gz"]
    assert main(["propagate", *map(str, words)]) == code
    assert (tmp_path / "x.nii.gz").is_file() == (code == 0)
    assert ("another frame of reference than the CT series in" in capfd.readouterr().err) == (code == 2)


def test_a_segmentation_keeps_names_colours_roles_and_layers(tmp_path):
    grid = lattice((30, 28, 20), (1.5, 1.5, 3.0), degrees=12, left_handed=True)
    big, small = torch.zeros(grid.shape, dtype=torch.bool), torch.zeros(grid.shape, dtype=torch.bool)
    big[5:25, 5:25, 3:15], small[10:15, 10:15, 6:9] = True, True
    role = Role(kind="GTV", terminology="Segmentation category~SCT^123^Tumour")
    structures = [
        from_mask(big, grid, name="Läsion", number=1, colour=(255, 128, 0), role=role),
        from_mask(small, grid, name="core", number=2),
    ]
    write_segmentation(tmp_path / "s.seg.nrrd", structures, grid)
    found = read_segmentation(tmp_path / "s.seg.nrrd")
    assert found.scan.matches(grid)
    assert [s.name for s in found.structures] == ["Läsion", "core"]
    assert found.structures[0].colour == (255, 128, 0) and found.structures[0].role == role
    image = sitk.ReadImage(str(tmp_path / "s.seg.nrrd"))  # as another program sees it
    layers = sitk.GetArrayFromImage(image).transpose(2, 1, 0, 3)
    assert image.GetMetaData("Segment1_Layer") == "1"
    assert ((layers[..., 0] > 0) == big.numpy()).all() and ((layers[..., 1] > 0) == small.numpy()).all()
    assert np.allclose(image.GetOrigin(), grid.origin * [-1, -1, 1])


def test_a_label_map_on_another_grid_is_placed_by_its_millimetres_and_one_elsewhere_is_refused(case, tmp_path, capfd):
    coarse = MOVING.with_spacing(2.0)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in coarse.shape), indexing="ij"), -1)
    mask = torch.from_numpy((np.linalg.norm(coarse.to_world(index) - MOVING.centre, axis=-1) < 12).astype(np.int32))
    write_labels(tmp_path / "coarse.nii.gz", mask, coarse)
    write_labels(tmp_path / "elsewhere.nii.gz", mask, coarse.window(np.array([400, 0, 0]), coarse.shape))
    scans = ["--transform", case / "t.h5", "--moving-series", case / "mr", "--fixed-series", case / "ct"]

    def run(name: str) -> int:
        arguments = ["propagate", *scans, "--labels", tmp_path / name, "--out", tmp_path / f"{name}.out.nii.gz"]
        return main([*map(str, arguments)])

    assert run("coarse.nii.gz") == 0 and "amber" in capfd.readouterr().out
    labels, grid = read_labels(tmp_path / "coarse.nii.gz.out.nii.gz")
    inside = grid.to_world(labels.nonzero().double().numpy())
    assert np.abs(inside.mean(0) - (MOVING.centre - SHIFT)).max() < 0.5
    assert run("elsewhere.nii.gz") == 2 and "wholly outside the moving scan" in capfd.readouterr().err
