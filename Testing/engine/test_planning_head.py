"""The whole way on the embedded anatomy: an old MR with contours, a new CT, and where the contours truly belong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_made import LPS, ball, make_rtstruct, make_series
from dsir.cli.main import main
from dsir.features.mind import Mind
from dsir.files.images import read_image
from dsir.files.transforms import read_transform
from dsir.geometry.image import Image
from dsir.planning import run
from dsir.structures import confidence_map
from dsir.transforms.linear import Linear
from studies_made import drawn_on

pytest.importorskip("nilearn", reason="the embedded brain is nilearn's")
from head_phantom import head_pair

pytestmark = pytest.mark.slow

ORGANS = {
    "brainstem": ((0.0, -28.0, -34.0), 13.0),
    "target": ((30.0, 6.0, 34.0), 16.0),
    "eye": ((-28.0, 62.0, -28.0), 10.0),
}
"""Name to centre (RAS mm on the CT) and radius of a ball about where it lies."""


def write_study(folder: Path, image: Image, **facts: str) -> pydicom.Dataset:
    """A series of the image; gives a header of it."""
    make_series(folder, image.lattice, values=lambda _: image.data.numpy())
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        for name, value in {"BodyPartExamined": "HEAD", **facts}.items():
            setattr(dataset, name, value)
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.save_as(file)
    return dataset


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Linear, list[str]]:
    """The case, the truth from CT to MR, and which volumes were read."""
    root = tmp_path_factory.mktemp("head")
    ct, mr, truth = head_pair()
    write_study(root / "new" / "ct", ct)
    header = write_study(root / "old" / "mr", mr, Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    outlines = {
        name: ball(mr.lattice, truth.transform_points(np.array([centre]))[0], radius)
        for name, (centre, radius) in ORGANS.items()
    }
    dataset = make_rtstruct(root / "old" / "rs.dcm", mr.lattice, outlines, frame=header.FrameOfReferenceUID)
    drawn_on(dataset, header)
    dataset.save_as(root / "old" / "rs.dcm")
    read: list[str] = []

    def counted(path: Path) -> Image:
        read.append(path.name)
        return read_image(path)

    words = ["plan", "--fixed-study", str(root / "new"), "--moving-study", str(root / "old"), "--descriptor", "mind"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "read_image", counted)
        patch.setattr("dsir.workflow.pair.read_image", counted)
        patch.setattr(confidence_map, "load_descriptor", lambda _: Mind())  # the network has tests of its own
        assert main([*words, "--out", str(root / "case"), "--quiet"]) == 0
    return root / "case", truth, read


def test_the_preset_for_a_head_was_taken_and_the_registration_is_the_truth(
    planned: tuple[Path, Linear, list[str]],
) -> None:
    case, truth, _ = planned
    report = json.loads((case / "plan.json").read_text())
    assert report["plan"]["preset"] == "head_ct_mr" and report["verdict"]["level"] == "PASS"
    points = np.random.default_rng(0).uniform(-70, 70, (500, 3))
    for name in ("registration.dcm", "registration/transform.h5"):
        missed = read_transform(case / name).transform_points(points) - truth.transform_points(points)
        assert np.linalg.norm(missed, axis=1).max() < 1.0


def test_carried_contours_lie_within_a_millimetre_of_the_truth(planned: tuple[Path, Linear, list[str]]) -> None:
    dataset = pydicom.dcmread(planned[0] / "structures.dcm")
    names = {roi.ROINumber: roi.ROIName for roi in dataset.StructureSetROISequence}
    assert sorted(names.values()) == sorted(ORGANS)
    for drawn in dataset.ROIContourSequence:
        centre, radius = ORGANS[names[drawn.ReferencedROINumber]]
        points = [np.reshape(item.ContourData, (-1, 3)).astype(float) * LPS for item in drawn.ContourSequence]
        off = [np.abs(np.linalg.norm(outline - centre, axis=1) - radius) for outline in points]
        order = np.argsort([outline[0, 2] for outline in points])
        assert np.concatenate(off).mean() < 0.3
        # Where a structure ends between two slices of 3 mm was never drawn: its first and last outline are left out.
        assert max(off[number].max() for number in order[1:-1]) < 1.0


def test_each_volume_is_read_once(planned: tuple[Path, Linear, list[str]]) -> None:
    assert sorted(planned[2]) == ["new", "old"]
