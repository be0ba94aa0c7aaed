"""Kinds A, C, D, E, H and K: transforms, NIfTI, segmentations, outputs, outlines, small ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from dicom_made import circle, make_rtstruct, make_series
from dsir.dicom.series import read_series
from dsir.files.displacements import write_displacement_nifti
from dsir.files.transforms import write_transform
from dsir.geometry.lattice import Lattice
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from grids import field_of
from test_meshes_ply import COLOUR, ply
from test_propagation_points import markups
from test_seg_nrrd import NAMED, A, B, C
from test_seg_nrrd import write as write_seg
from test_transform_conventions import by_itk

from .table import Row, Run, refused

SHIFT = np.array([6.0, -4.0, 3.0])
GRID = Lattice((32, 32, 32), np.diag([2.0, 2.0, 2.0, 1.0]))


def texture() -> np.ndarray:
    noise = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=GRID.shape))
    return 100 + 400 * sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 2.0)).astype(np.float32)


def scans(folder: Path, code: int = 1) -> None:
    """A fixed scan, and a moving one in which what is at x lies at x + SHIFT."""
    moved = np.roll(texture(), (3, -2), axis=(0, 1))
    for name, values in (("fixed", texture()), ("moving", moved)):
        file = nib.Nifti1Image(values, None)
        file.header.set_sform(GRID.affine, code)
        file.header.set_qform(GRID.affine, code)
        nib.save(file, folder / f"{name}.nii.gz")
    write_transform(folder / "id.tfm", Transform())


FIELD = field_of(GRID, lambda x: np.broadcast_to([6.0, -4.0, 0.0], x.shape))


def itk_field(name: str, intent: int | None = None) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        scans(folder)
        by_itk(folder / name, FIELD)
        if intent is not None:
            file = nib.load(folder / name)
            file = nib.Nifti1Image(np.asarray(file.dataobj), file.affine, file.header)
            file.header["intent_code"] = intent
            nib.save(file, folder / name)

    return make


def positions(name: str) -> Callable[[Path], None]:
    """A field's positions in the place of its displacements, as ITK would write them."""

    def make(folder: Path) -> None:
        scans(folder)
        at = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
        by_itk(folder / name, field_of(GRID, lambda x: np.broadcast_to([6.0, -4.0, 0.0], x.shape) + at))

    return make


def our_field(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        scans(folder)
        write_displacement_nifti(folder / name, FIELD)

    return make


def lands(folder: Path, run: Run) -> str:
    """The carried moving scan is the fixed one."""
    if run.code:
        return f"exit code {run.code}: {run.err.strip()[-160:]}"
    inner = (slice(6, -6),) * 3
    a, b = (nib.load(folder / name).get_fdata()[inner] for name in ("fixed.nii.gz", "x.nii.gz"))
    found = np.corrcoef(a.ravel(), b.ravel())[0, 1]
    return "" if found > 0.999 else f"correlation {found:.3f}"


def apply(name: str) -> tuple[str, ...]:
    images = ("--reference", "{}/fixed.nii.gz", "--image", "{}/moving.nii.gz", "-o", "{}/x.nii.gz")
    return ("apply", "-t", "{}/" + name, *images)


def register(*more: str, out: str = "{}/out") -> tuple[str, ...]:
    scans_ = ("--fixed", "{}/fixed.nii.gz", "--moving", "{}/moving.nii.gz")
    return ("register", *scans_, "--out", out, "--preset", "fast", "--descriptor", "mind", "--brief", *more)


def says(*words: str) -> Callable[[Path, Run], str]:
    def check(folder: Path, run: Run) -> str:
        missing = [word for word in words if word not in run.said]
        return f"exit code {run.code}" if run.code else f"does not say {missing[0]!r}" if missing else ""

    return check


def segmentation(write: Callable[[Path], object], wanted: dict[str, np.ndarray]) -> dict[str, object]:
    def make(folder: Path) -> None:
        write(folder / "s.seg.nrrd")
        scan = sitk.ReadImage(str(folder / "s.seg.nrrd"))
        scan = sitk.VectorIndexSelectionCast(scan, 0) if scan.GetNumberOfComponentsPerPixel() > 1 else scan
        sitk.WriteImage(sitk.Cast(scan, sitk.sitkFloat32) + 1, str(folder / "scan.nrrd"))
        write_transform(folder / "id.tfm", Transform())

    def check(folder: Path, run: Run) -> str:
        from test_seg_nrrd import masks

        if run.code:
            return f"exit code {run.code}: {run.err.strip()[-160:]}"
        found = masks(folder / "x.seg.nrrd")
        wrong = [name for name, mask in wanted.items() if name not in found or (found[name] != mask).sum() > 30]
        return f"{wrong} differ" if wrong else ""

    command = ("propagate", "-t", "{}/id.tfm", "--segmentation", "{}/s.seg.nrrd", "--fixed", "{}/scan.nrrd")
    return {"make": make, "check": check, "command": (*command, "-o", "{}/x.seg.nrrd")}


AXIAL = Lattice((64, 60, 20), np.array([[-1.0, 0, 0, 30], [0, -1.0, 0, 40], [0, 0, 3.0, -20], [0, 0, 0, 1]]))


def outlines(polygons: list[np.ndarray], name: str = "GTV") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        series = read_series(make_series(folder / "ct", AXIAL))
        rois = {name: dict.fromkeys(range(5, 15), polygons)}
        make_rtstruct(folder / "rs.dcm", AXIAL, rois, frame=series.frame_of_reference)
        write_transform(folder / "id.tfm", Transform())

    return make


def millilitres(wanted: float, *words: str) -> Callable[[Path, Run], str]:
    def check(folder: Path, run: Run) -> str:
        if run.code:
            return f"exit code {run.code}: {run.err.strip()[-160:]}"
        found = np.count_nonzero(nib.load(folder / "x.nii.gz").dataobj) * 0.003
        if abs(found - wanted) > 0.05 * wanted:
            return f"{found:.1f} ml, not {wanted:.1f}"
        return says(*words)(folder, run)

    return check


RT = ("propagate", "-t", "{}/id.tfm", "--rtstruct", "{}/rs.dcm", "--moving-series", "{}/ct", "--fixed-series", "{}/ct")
RT = (*RT, "-o", "{}/x.nii.gz")
DISC = circle((32.0, 30.0), 12.0, np.ones(2), 360)
WIDER = circle((32.0, 30.0), 12.3, np.ones(2), 360)
FULL = np.pi * 1.2**2 * 3


def linked(folder: Path) -> None:
    scans(folder)
    (folder / "disk").mkdir()
    (folder / "out").symlink_to(folder / "disk")


def whole(folder: Path, run: Run) -> str:
    if run.code:
        return f"exit code {run.code}: {run.err.strip()[-160:]}"
    names = {p.name for p in (folder / "out").iterdir()}
    if not {"transform.h5", "report.json"} <= names or any(name.endswith(".part") for name in names):
        return f"holds {sorted(names)}"
    return "" if not (folder / "disk").exists() or (folder / "out").is_symlink() else "the link is gone"


def volume_with_leftovers(folder: Path) -> None:
    scans(folder)
    (folder / "out" / "lost+found").mkdir(parents=True)
    (folder / "out" / ".dsir.99999999-abc.part").mkdir()
    (folder / ".out.abcd1234.part").mkdir()


def no_leftovers(folder: Path, run: Run) -> str:
    left = [p.name for p in (*folder.iterdir(), *(folder / "out").iterdir()) if p.name.endswith(".part")]
    return whole(folder, run) or (f"left {left}" if left else "")


def text(name: str, content: str | bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        matrix = np.eye(4)
        matrix[:3, 3] = SHIFT
        write_transform(folder / "t.tfm", Transform((Linear(matrix),)))

    return make


def holds(name: str, words: str | bytes) -> Callable[[Path, Run], str]:
    def check(folder: Path, run: Run) -> str:
        if run.code:
            return f"exit code {run.code}: {run.err.strip()[-160:]}"
        wanted = words if isinstance(words, bytes) else words.encode()
        return "" if wanted in (folder / name).read_bytes() else "it is not in the file"

    return check


UNITS = markups("LPS")
UNITS["markups"][0]["coordinateUnits"] = ["mm", "UCUM", "millimeter"]
TABLE = "label,r,a,s,defined\nF-1,1,2,3,1\nF-2,0,0,0,0\n"
COLOURED = ply("<", face=COLOUR)

ROWS = [
    Row("A", "ITK's field as NIfTI (1007)", itk_field("deformationField.nii.gz"), apply("deformationField.nii.gz"),
        "LPS, whatever its name", lands),
    Row("A", "ITK's field as MHA", itk_field("u.mha"), apply("u.mha"), "LPS", lands),
    Row("A", "our field under ANTs' name (1006)", our_field("1Warp.nii.gz"), apply("1Warp.nii.gz"), "RAS", lands),
    Row("A", "a field without intent", itk_field("u.nii.gz", 0), apply("u.nii.gz"), "the images decide", lands),
    Row("A", "positions in LPS as MHA", positions("u.mha"), apply("u.mha"), "positions", lands),
    Row("A", "the same as a start that is named wrongly", itk_field("u.nii.gz", 0),
        register("--initial", "{}/u.nii.gz", "--field-convention", "ras"), "said", says("lowers the similarity")),
    Row("C", "NIfTI without a form", lambda f: scans(f, 0), register(), "said", says("codes are 0", "ITK and Slicer")),
    Row(kind="D", what="a segmentation of Slicer 4.10", right="three shapes", **segmentation(
        lambda p: write_seg(p, np.stack([A, B, C]).astype(np.uint8), NAMED), {"A": A, "B": B, "C": C})),
    Row(kind="D", what="a segmentation in ASCII", right="read", **segmentation(
        lambda p: write_seg(p, (A * 48).astype(np.uint8), [{**NAMED[0], "LabelValue": "48"}], encoding="ascii"),
        {"A": A})),
    Row(kind="D", what="a segmentation of 64-bit numbers", right="read", **segmentation(
        lambda p: write_seg(p, (A * 300).astype(np.int64), [{**NAMED[0], "LabelValue": "300"}]), {"A": A})),
    Row("E", "--out is a link to a folder", linked, register(), "the files in it, the link stays", whole),
    Row("E", "--out is a fresh volume, a killed run left its folders", volume_with_leftovers, register(),
        "the files in it, nothing left over", no_leftovers),
    Row("E", "--out is a device", scans, (*apply("id.tfm")[:-1], "/dev/full", "--overwrite"), "refused",
        refused("a device")),
    Row("E", "--out is the reference, --overwrite", scans, (*apply("id.tfm")[:-1], "{}/fixed.nii.gz", "--overwrite"),
        "refused", refused("is an input")),
    Row("H", "every outline twice", outlines([DISC, DISC[::-1]]), RT, "counts once, said",
        millilitres(FULL, "drawn twice")),
    Row("H", "twice, slightly off", outlines([DISC, DISC + 0.15]), RT, "counts once, said",
        millilitres(FULL, "drawn twice")),
    Row("H", "once and a half round in one outline", outlines([np.vstack([DISC, WIDER[:180]])]), RT, "filled",
        millilitres(FULL)),
    Row("H", "overlapping outlines", outlines([DISC, DISC + np.array([10.0, 0.0])]), RT, "united, said",
        millilitres(20.56, "overlap")),
    Row("H", "a hole", outlines([DISC, circle((32.0, 30.0), 6.0, np.ones(2), 360)]), RT, "a hole",
        millilitres(FULL * 0.75)),
    Row("K", "PLY with face colours", text("a.ply", COLOURED),
        ("apply", "-t", "{}/t.tfm", "--mesh", "{}/a.ply", "-o", "{}/b.ply"), "moved, colours stay",
        holds("b.ply", COLOURED[-16:])),
    Row("K", "CSV points with defined 0", text("a.csv", TABLE),
        ("apply", "-t", "{}/t.tfm", "--points", "{}/a.csv", "-o", "{}/b.csv"), "left alone",
        holds("b.csv", "F-2,0,0,0,0")),
    Row("K", "mrk.json units as a code", text("a.mrk.json", json.dumps(UNITS)),
        ("apply", "-t", "{}/t.tfm", "--points", "{}/a.mrk.json", "-o", "{}/b.mrk.json"), "read, kept",
        holds("b.mrk.json", "UCUM")),
    Row("K", "--ras -1e-5 0 0", scans,
        ("query", "--image", "{}/fixed.nii.gz", "--ras", "-1e-5", "30", "30", "--descriptor", "mind"),
        "a number", lambda folder, run: "" if "expected 3" not in run.said and run.code in (0, 2) else run.err[-160:]),
    Row("K", "standard error closed", scans, register(), "runs", whole, {"preexec_fn": lambda: os.close(2)}),
]  # fmt: skip
