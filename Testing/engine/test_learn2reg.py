"""Data sets in the layout of Learn2Reg, and the challenge's figures on fields whose answer is known."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import phantoms
import pytest
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.evaluation.board import as_markdown
from dsir.evaluation.challenge import challenge_scores, index_displacement
from dsir.evaluation.leaderboard import Score
from dsir.evaluation.learn2reg import DataSet, read_data_set
from dsir.evaluation.submission import file_of, read_submission
from dsir.geometry.lattice import Lattice
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear

pytestmark = pytest.mark.slow

SHIFT = np.array([2, 0, -1])
"""Voxels by which the anatomy of the moving scans lies further on."""

SETTINGS = {
    "spacing": 6.0,
    "linear": {"start": "identity", "model": "rigid"},
    "discrete": {"grids": [12.0], "captures": [18.0]},
    "descent": {"levels": [{"scale": 1.0, "iterations": 2}]},
}


def save(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AbdomenMRCT in miniature, as published: two pairs of MR (0000) and CT (0001), labels, masks, landmarks."""
    folder = tmp_path_factory.mktemp("l2r")
    lattice = phantoms.lattice_of((22, 25, 20), (6.0, 6.0, 6.0))
    index = np.stack(np.meshgrid(*map(np.arange, lattice.shape), indexing="ij"), -1)
    for case in ("0006", "0007"):
        organs = np.zeros(lattice.shape, np.uint8)
        organs[np.linalg.norm(index - [8, 12, 10], axis=-1) < 4] = 1
        organs[np.linalg.norm(index - [14, 12, 8], axis=-1) < 3] = 2
        landmarks = np.argwhere(organs == 1)[::20].astype(float)
        for modality, view, shift in (
            ("0000", phantoms.dark_on_bright, 0 * SHIFT),
            ("0001", phantoms.bright_on_dark, SHIFT),
        ):
            name = f"AbdomenMRCT_{case}_{modality}"
            scan = phantoms.render(lattice, view).data.numpy()
            save(folder / "imagesTr" / f"{name}.nii.gz", np.roll(scan, shift, (0, 1, 2)), lattice.affine)
            save(folder / "labelsTr" / f"{name}.nii.gz", np.roll(organs, shift, (0, 1, 2)), lattice.affine)
            save(
                folder / "masksTr" / f"{name}.nii.gz",
                (np.roll(scan, shift, (0, 1, 2)) > 100).astype(np.uint8),
                lattice.affine,
            )
            (folder / "landmarksTr").mkdir(exist_ok=True)
            np.savetxt(folder / "landmarksTr" / f"{name}.csv", landmarks + shift, delimiter=",")
    images = [[f"./imagesTr/AbdomenMRCT_{case}_{m}.nii.gz" for m in ("0000", "0001")] for case in ("0006", "0007")]
    described = [
        [
            {"image": pair[m], "label": pair[m].replace("images", "labels"), "mask": pair[m].replace("images", "masks")}
            for pair in images
        ]
        for m in (0, 1)
    ]
    description = {
        "name": "AbdomenMRCT",
        "release": "1.1",
        "pairings": "hybrid",
        "provided_data": {"0": ["image", "label", "mask"], "1": ["image", "label", "mask"]},
        "registration_direction": {"fixed": 0, "moving": 1},
        "modality": {"0": "MR", "1": "CT"},
        "labels": {
            "0": {"0": "background", "1": "liver", "2": "spleen"},
            "1": {"0": "background", "1": "liver", "2": "spleen"},
        },
        "tensorImageSize": {"0": "3D", "1": "3D"},
        "tensorImageShape": {"0": list(lattice.shape), "1": list(lattice.shape)},
        "training": {"0": described[0], "1": described[1]},
        "training_paired_images": [{"0": a, "1": b} for a, b in images],
        "registration_val": [{"fixed": a, "moving": b} for a, b in images],
    }
    (folder / "AbdomenMRCT_dataset.json").write_text(json.dumps(description))
    (folder / "settings.json").write_text(json.dumps(SETTINGS))
    return folder


def test_every_pair_is_registered_and_scored_beside_a_peer_and_the_published(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = tmp_path / "exact"
    right = np.broadcast_to(SHIFT.astype(np.float32), (22, 25, 20, 3))
    save(peer / "disp_0006_0006.nii.gz", right, np.eye(4))
    words = ["evaluate", "--learn2reg", f"{made}/AbdomenMRCT_dataset.json", "--out", f"{tmp_path}/out"]
    words += ["--peer", f"exact={peer}", "--settings", f"{made}/settings.json", "--preset", "fast"]
    words += ["--workers", "1", "--threads", "1"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "| liver" in said
    assert "0.735" in said  # what ConvexAdam's authors published
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        rows = {(row["method"], row["pair"]): row for row in csv.DictReader(file)}
    exact = rows["exact", "0006_0006"]
    assert [float(exact[name]) for name in ("dice", "dice liver", "hd95_mm", "tre_mm", "folds")] == [1, 1, 0, 0, 0]
    assert "disp_0007_0007" in rows["exact", "0007_0007"]["error"]
    nothing, ours = rows["nothing done", "0007_0007"], rows["DSIR Registration", "0007_0007"]
    assert float(nothing["tre_mm"]) == pytest.approx(6 * np.linalg.norm(SHIFT), rel=1e-4)
    assert float(ours["tre_mm"]) < 0.35 * float(nothing["tre_mm"])
    assert float(ours["dice"]) > float(nothing["dice"]) + 0.2
    assert float(ours["seconds"]) > 0
    assert "| exact " in (tmp_path / "out" / "scores.md").read_text()

    # Our field, as one hands it in, scores what we scored; a second call registers nothing anew.
    report = tmp_path / "out" / "pairs" / "0006_0006" / "report.json"
    stamp = report.stat().st_mtime_ns
    assert main([*words, "--peer", f"again={tmp_path}/out/displacements"]) == 0
    assert report.stat().st_mtime_ns == stamp
    scores = {
        (s["method"], s["pair"]): s["figures"]
        for s in json.loads((tmp_path / "out" / "scores.json").read_text())["scores"]
    }
    assert scores["again", "0007_0007"] == scores["DSIR Registration", "0007_0007"]


def test_the_published_layout_is_understood(made: Path) -> None:
    found = read_data_set(made / "AbdomenMRCT_dataset.json", pairs="training_paired_images")
    assert found.labels == {1: "liver", 2: "spleen"}
    task = found.tasks[1]
    assert (task.name, task.full) == ("0007_0007", "0007_0000_0007_0001")
    assert task.pair.fixed == made / "imagesTr" / "AbdomenMRCT_0007_0000.nii.gz"
    assert task.pair.moving_mask == made / "masksTr" / "AbdomenMRCT_0007_0001.nii.gz"
    assert task.fixed_labels == made / "labelsTr" / "AbdomenMRCT_0007_0000.nii.gz"
    assert task.moving_points == made / "landmarksTr" / "AbdomenMRCT_0007_0001.csv"
    assert read_data_set(made / "AbdomenMRCT_dataset.json", masks=False).tasks[0].pair.fixed_mask is None


def test_the_way_of_the_registration_and_the_long_names_are_kept(made: Path, tmp_path: Path) -> None:
    description = json.loads((made / "AbdomenMRCT_dataset.json").read_text())
    description |= {"registration_direction": {"fixed": 1, "moving": 0}, "labels": {}, "training": []}
    (made / "turned.json").write_text(json.dumps(description))
    found = read_data_set(made / "turned.json", pairs="training_paired_images")
    assert found.tasks[0].pair.fixed.name == "AbdomenMRCT_0006_0001.nii.gz"
    assert found.tasks[0].name == "0006_0001_0006_0000"  # the short name is for one modality, or 0 to 1
    assert found.tasks[0].fixed_labels is not None  # by its folder's name
    np.savez(tmp_path / "disp_0006_0001_0006_0000.npz", np.zeros((2, 3, 4, 3), np.float16))
    file = file_of(tmp_path, found.tasks[0])
    assert read_submission(file, (2, 3, 4)).dtype == np.float32
    with pytest.raises(DsirError, match="must have"):
        read_submission(file, (3, 3, 4))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"registration_val": []}, "it has training_paired_images"),
        ({"registration_val": [{"image": "a"}]}, "is not a pair"),
        ({"registration_val": [{"fixed": "./imagesTr/no.nii.gz", "moving": "b"}]}, "no.nii.gz does not exist"),
        ({"name": None, "registration_val": 3}, "lists no pairs"),
    ],
)
def test_a_wrong_description_is_one_sentence(change: dict, expected: str, made: Path) -> None:
    description = json.loads((made / "AbdomenMRCT_dataset.json").read_text())
    (made / "wrong.json").write_text(json.dumps(description | change))
    with pytest.raises(DsirError, match=expected):
        read_data_set(made / "wrong.json")


def test_distances_between_surfaces_are_given_in_mm_and_as_the_script_gives_them() -> None:
    fixed = np.zeros((24, 24, 24), np.uint8)
    fixed[4:12, 4:12, 4:12] = 1
    fixed[16:20, 16:20, 16:20] = 5
    moving = np.roll(fixed, 3, 0)
    moving[moving == 5] = 0
    found = challenge_scores(
        np.zeros((*fixed.shape, 3), np.float32),
        np.full(3, 2.0),
        fixed_labels=fixed,
        moving_labels=moving,
        values=(1, 5),
    )
    assert found["hd95_voxels"] == 3
    assert found["hd95_mm"] == 6
    assert found["dice_by_label"] == {1: pytest.approx(5 / 8), 5: None}
    assert found["dice"] == pytest.approx(5 / 8)  # a label that one scan lacks is no failure of the registration


def test_a_label_that_is_pushed_out_scores_nothing() -> None:
    fixed = np.zeros((12, 12, 12), np.uint8)
    fixed[4:8, 4:8, 4:8] = 1
    away = np.full((12, 12, 12, 3), 11, np.float32)
    found = challenge_scores(away, np.ones(3), fixed_labels=fixed, moving_labels=fixed, values=(1,))
    assert (found["dice"], found["hd95_mm"]) == (0, None)


def test_the_jacobians_are_those_of_the_script() -> None:
    rng = np.random.default_rng(0)
    field = np.cumsum(rng.normal(0, 0.25, (10, 11, 12, 3)), 0).astype(np.float32)
    derivatives = np.stack(np.gradient(field.astype(np.float64), axis=(0, 1, 2)), -1)
    inner = np.linalg.det(derivatives + np.eye(3))[2:-2, 2:-2, 2:-2]
    found = challenge_scores(field, np.ones(3))
    assert found["sd_log_j_script"] == pytest.approx(np.log((inner + 3).clip(1e-9, 1e9)).std(), rel=1e-4)
    assert found["folds_percent"] == pytest.approx(100 * (inner <= 0).mean())
    assert found["folds_percent"] > 0
    assert challenge_scores(0 * field, np.ones(3))["sd_log_j"] == 0


def test_a_transform_becomes_voxels_of_the_moving_image() -> None:
    fixed = Lattice((5, 6, 7), np.diag([2.0, 2, 2, 1]))
    affine = np.diag([-1.0, 2, 4, 1])
    affine[:3, 3] = 9, 1, -2
    moving = Lattice((5, 6, 7), affine)
    push = np.eye(4)
    push[:3, 3] = 1, 2, 3
    field = index_displacement(Transform((Linear(push),)), fixed, moving)
    voxel = np.array([3, 1, 4])
    there = fixed.to_world(voxel) + push[:3, 3]
    np.testing.assert_allclose(voxel + field[tuple(voxel)], moving.to_index(there), atol=1e-5)


def test_the_table_takes_means_of_what_is_there() -> None:
    data_set = DataSet("Any", {1: "liver"}, ())
    figures = [{"dice": d, "dice_by_label": {1: d}, "sd_log_j": 0.1} for d in (0.2, 0.9)]
    scores = [
        Score("m", "a", 3.0, figures=figures[0]),
        Score("m", "b", figures=figures[1]),
        Score("m", "c", error="No."),
    ]
    text = as_markdown(data_set, scores)
    (line,) = [line for line in text.splitlines() if line.startswith("| m ")]
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "m",
        "2 of 3",
        "0.550",
        "0.550",
        "0.410",
        "0.100",
        "3",
    ]
    assert "- m, c: No." in text
    assert "Published" not in text
