"""Slicer's segmentations: by Slicer's own rules for what a file does not say, in whatever encoding."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from dsir.errors import DsirError
from dsir.files import seg_nrrd
from dsir.files.images import read_image, read_labels
from dsir.files.transforms import read_transform
from dsir.structures.segmentations import from_mask, on_grid, read_segmentation, write_segmentation
from dsir.structures.structure_io import read_structures
from grids import GRIDS

SHAPE = (20, 18, 12)


def box(low: int, high: int) -> np.ndarray:
    out = np.zeros(SHAPE, dtype=bool)
    out[low:high, low:high, 2:10] = True
    return out


A, B, C = box(1, 5), box(6, 11), box(9, 17)
"""The second and the third overlap."""


def write(path: Path, values: np.ndarray, segments: list[dict[str, str]], **header) -> Path:
    layered = values.ndim == 4
    pairs = {f"Segment{n}_{key}": value for n, segment in enumerate(segments) for key, value in segment.items()}
    directions = np.array([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0]])
    fields = {
        "space": "left-posterior-superior",
        "kinds": [*(["list"] if layered else []), "domain", "domain", "domain"],
        "space directions": np.vstack([[np.nan] * 3, directions]) if layered else directions,
        "space origin": np.array([-20.0, -18.0, -18.0]),
    }
    nrrd.write(str(path), values, {**fields, **header, **pairs}, compression_level=1)
    return path


def masks(path: Path) -> dict[str, np.ndarray]:
    found = read_segmentation(path)
    return {s.name: on_grid(s, found.scan).numpy() for s in found.structures}


def same(found: dict[str, np.ndarray], **wanted: np.ndarray) -> bool:
    return set(found) == set(wanted) and all((found[name] == wanted[name]).all() for name in wanted)


NAMED = [{"ID": f"Segment_{n}", "Name": name} for n, name in enumerate("ABC", start=1)]


def test_up_to_slicer_4_10_each_segment_has_a_component_of_its_own(tmp_path):
    path = write(tmp_path / "old.seg.nrrd", np.stack([A, B, C]).astype(np.uint8), NAMED)
    assert same(masks(path), A=A, B=B, C=C)


def test_a_label_value_alone_is_looked_for_in_the_segments_own_layer(tmp_path):
    values = np.stack([A * 7, B * 1, C * 3]).astype(np.uint8)
    segments = [{**NAMED[0], "LabelValue": "7"}, NAMED[1], {**NAMED[2], "LabelValue": "3"}]
    assert same(masks(write(tmp_path / "a.seg.nrrd", values, segments)), A=A, B=B, C=C)


def test_a_name_in_latin_1_is_read_and_written(tmp_path):
    path = write(tmp_path / "a.seg.nrrd", A.astype(np.uint8), [{**NAMED[0], "Name": "XX", "LabelValue": "1"}])
    path.write_bytes(path.read_bytes().replace(b"Name:=XX", b"Name:=Ma\xdfe"))
    assert same(masks(path), **{"Maße": A})
    found = read_segmentation(path)
    write_segmentation(tmp_path / "b.seg.nrrd", found.structures, found.scan)
    assert same(masks(tmp_path / "b.seg.nrrd"), **{"Maße": A})


def test_voxels_that_belong_to_no_segment_are_said(tmp_path):
    layer = np.where(A, 1, np.where(B, 2, 0)).astype(np.uint8)
    segments = [{**NAMED[0], "LabelValue": "1", "Layer": "0"}]
    found = read_segmentation(write(tmp_path / "a.seg.nrrd", layer, segments))
    assert found.remarks == ("Voxels of the value 2 belong to no segment and are left out.",)


def test_several_segments_share_a_layer_where_the_file_says_so(tmp_path):
    values = np.stack([A * 1 + B * 2, C * 1]).astype(np.uint8)
    places = [("0", "1"), ("0", "2"), ("1", "1")]
    segments = [{**s, "Layer": p[0], "LabelValue": p[1]} for s, p in zip(NAMED, places, strict=True)]
    assert same(masks(write(tmp_path / "a.seg.nrrd", values, segments)), A=A, B=B, C=C)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "ascii"])
@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int32", "int64", "float32", ">i2", ">i4"])
def test_every_encoding_and_kind_of_number_is_read_for_what_it_is(tmp_path, encoding, kind):
    values = (A * 48 + B * 1).astype(kind)
    segments = [{**NAMED[0], "Layer": "0", "LabelValue": "48"}, {**NAMED[1], "Layer": "0", "LabelValue": "1"}]
    assert same(masks(write(tmp_path / "a.seg.nrrd", values, segments, encoding=encoding)), A=A, B=B)


def test_values_that_are_no_labels_and_layers_that_are_not_there_are_said(tmp_path):
    with pytest.raises(DsirError, match="not whole numbers"):
        read_segmentation(write(tmp_path / "a.seg.nrrd", A * np.float32(0.5), NAMED[:1]))
    found = read_segmentation(write(tmp_path / "b.seg.nrrd", A.astype(np.uint8), NAMED[:2]))
    assert [s.name for s in found.structures] == ["A"] and "B is left out: its layer 1" in found.remarks[0]
    for bad in ({"Layer": "x"}, {"LabelValue": "one"}, {"Layer": "-1"}):
        with pytest.raises(DsirError, match="is damaged"):
            read_segmentation(write(tmp_path / "c.seg.nrrd", A.astype(np.uint8), [{**NAMED[0], **bad}]))


def test_segments_without_names_are_the_values_and_numbers_end_at_a_gap(tmp_path):
    found = masks(write(tmp_path / "a.seg.nrrd", (A * 3 + B * 5).astype(np.uint8), []))
    assert same(found, Segment_3=A, Segment_5=B)
    path = write(tmp_path / "b.seg.nrrd", np.stack([A, B, C]).astype(np.uint8), [NAMED[0], {}, NAMED[2]])
    assert same(masks(path), A=A)
    with pytest.raises(DsirError, match="every voxel is 0"):
        read_segmentation(write(tmp_path / "c.seg.nrrd", (A * 0).astype(np.uint8), []))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_names_in_any_script_colours_and_overlaps_come_back(tmp_path, grid):
    names = ["Läsion\\links: 左肾", 'a "b"; c=d', "zwei\nZeilen", "plain"]
    made = []
    for number, name in enumerate(names, start=1):
        mask = np.zeros(grid.shape, dtype=bool)
        mask[2 + number : 8 + number, 3:9, 2:6] = True
        import torch

        made.append(from_mask(torch.from_numpy(mask), grid, name=name, number=number, colour=(10, 200, 30)))
    write_segmentation(tmp_path / "s.seg.nrrd", made, grid)
    found = read_segmentation(tmp_path / "s.seg.nrrd")
    assert found.scan.matches(grid)
    assert [s.name for s in found.structures] == names and {s.colour for s in found.structures} == {(10, 200, 30)}
    for before, after in zip(made, found.structures, strict=True):
        assert (on_grid(before, grid) == on_grid(after, grid)).all()
    image = sitk.ReadImage(str(tmp_path / "s.seg.nrrd"))
    assert image.GetMetaData("Segment0_Name") == names[0] and image.GetNumberOfComponentsPerPixel() == 4


HEADER = "NRRD0004\ntype: {type}\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\nencoding: {encoding}\n"
HEADER += "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nkinds: domain domain domain\n"


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("name", ["a.seg.nrrd", "a.nrrd"])
def test_a_header_that_promises_terabytes_is_not_believed(tmp_path, encoding, name):
    text = HEADER.format(type="float", sizes="20000 20000 20000", encoding=encoding) + "endian: little\n\n"
    (tmp_path / name).write_bytes(text.encode() + b"\x1f\x8b" + b"0" * 100)
    with pytest.raises(DsirError, match="promises 32 TB of voxels"):
        (seg_nrrd.read if "seg" in name else read_image)(tmp_path / name)


@pytest.mark.parametrize(
    "place", ["../secret.raw", "/etc/passwd", "http://example.org/x.raw", "LIST 3\n../secret.raw", "..\\secret.raw"]
)
def test_a_header_leads_to_no_file_elsewhere(tmp_path, place):
    (tmp_path / "secret.raw").write_bytes(bytes(8 * 8 * 8))
    folder = tmp_path / "in"
    folder.mkdir()
    text = HEADER.format(type="uchar", sizes="8 8 8", encoding="raw")
    (folder / "a.nhdr").write_text(f"{text}data file: {place}\n")
    name = "LIST" + 8 * "\n../secret.raw" if place.startswith("LIST") else place
    (folder / "a.mhd").write_text(
        f"ObjectType = Image\nNDims = 3\nDimSize = 8 8 8\nElementType = MET_UCHAR\nElementDataFile = {name}\n"
    )
    for read in (read_image, read_transform):
        for file in ("a.nhdr", "a.mhd"):
            with pytest.raises(DsirError, match="a data file elsewhere"):
                read(folder / file)


def test_data_beside_the_header_is_read(tmp_path):
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    for name in ("a.nhdr", "a.mhd"):
        sitk.WriteImage(sitk.GetImageFromArray(values.transpose(2, 1, 0)), str(tmp_path / name))
        assert np.array_equal(read_image(tmp_path / name).data.numpy(), values)


LAYER = np.where(A, 1, np.where(B, 2, 0)).astype(np.uint8)
PLACED = [{**segment, "Layer": "0", "LabelValue": str(n)} for n, segment in enumerate(NAMED, start=1)]


@pytest.mark.parametrize("name", ["s.nrrd", "s.seg.nhdr", "s.nhdr"])
def test_a_segmentation_is_told_by_its_header(tmp_path, name):
    values = np.stack([LAYER, C.astype(np.uint8)])
    segments = [*PLACED[:2], {**NAMED[2], "Layer": "1", "LabelValue": "1"}]
    found = read_structures(write(tmp_path / name, values, segments))
    assert same({s.name: on_grid(s, found.scan).numpy() for s in found.structures}, A=A, B=B, C=C)


@pytest.mark.parametrize("name", ["s.nhdr", "s.img", "s.mgz", "s.mhd"])
def test_label_maps_of_every_image_format_are_structures(tmp_path, name):
    affine = np.diag([-2.0, -2.0, 3.0, 1.0])
    if name.endswith(".mgz"):
        nib.save(nib.MGHImage(LAYER, affine), tmp_path / name)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(LAYER.T)), str(tmp_path / name))
    found = read_structures(tmp_path / name)
    assert [int(on_grid(s, found.scan).sum()) for s in found.structures] == [A.sum(), B.sum()]


@pytest.mark.parametrize("read", [read_segmentation, read_labels])
def test_fractional_segments_are_no_labels(tmp_path, read):
    shares = np.where(A, 216, np.where(B, 30, 0)).astype(np.uint8)
    said = {"Segmentation_MasterRepresentation": "Fractional labelmap"}
    path = write(tmp_path / "f.seg.nrrd", shares, PLACED[:1], **said)
    with pytest.raises(DsirError, match="fractional segments, no labels"):
        read(path)


def test_a_coding_that_is_not_read_is_named(tmp_path):
    with pytest.raises(DsirError, match="in the coding bzip2; write them as gzip or raw"):
        read_labels(write(tmp_path / "b.nrrd", LAYER, [], encoding="bzip2"))


def test_the_background_is_no_segment(tmp_path):
    segments = [PLACED[0], {**PLACED[1], "LabelValue": "0"}]
    found = read_segmentation(write(tmp_path / "a.seg.nrrd", LAYER, segments))
    assert [s.name for s in found.structures] == ["A"]
    assert "B is left out: its value is 0, which is the background." in found.remarks
