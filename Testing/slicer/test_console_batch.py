"""Many pairs from the Python console: nodes or files in, a row for each out."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from dsir.batch import run
from dsir.errors import DsirError
from dsir.files.images import read_image, read_mask, write_image
from dsir.files.transforms import read_transform, write_transform
from DSIRRegistrationLib.logic import RegistrationLogic
from DSIRRegistrationLib.nodes.transforms import load_transform
from DSIRRegistrationLib.nodes.volumes import array_of, image_of, lattice_of
from mrml_scene import FakeEngine, ball, known_transform, node_ids
from test_nodes_structures import add_segmentation


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """Workers that only look at what they are given: name to (pair, settings)."""
    seen = {}

    def work(todo, out, settings, *_):
        for name, pair in todo.items():
            seen[name] = {"settings": settings, "pair": pair}
            for role, path in pair.files.items():
                try:
                    if role == "fixed_mask":
                        seen[name][role] = read_mask(path, read_image(pair.fixed).lattice)
                    else:
                        seen[name][role] = read_transform(path) if role == "initial" else read_image(path)
                except DsirError as error:
                    yield name, str(error)
                    break
            else:
                yield name, ""

    monkeypatch.setattr(run, "_work", work)
    return seen


def test_nodes_and_files_arrive_at_the_workers(pair, scene, workers, tmp_path: Path) -> None:
    fixed, moving = pair
    body = ball(lattice_of(fixed), lattice_of(fixed).centre, 12)
    segmentation = add_segmentation(scene, fixed, {"body": body})
    write_image(tmp_path / "third.nii.gz", image_of(moving))
    write_transform(tmp_path / "start.h5", known_transform(lattice_of(fixed)))
    start = load_transform(tmp_path / "start.h5", scene, name="start")
    before = node_ids(scene)
    rows = RegistrationLogic(FakeEngine()).batch(
        {
            "nodes": {"fixed": fixed, "moving": moving, "fixedMask": (segmentation, "body"), "initialTransform": start},
            "files": {"fixed": fixed, "moving": str(tmp_path / "third.nii.gz"), "movingMask": None},
            "bad": {"fixed": fixed, "moving": tmp_path / "start.h5"},
        },
        tmp_path / "out",
        settings={"preset": "fast", "seed": 3},
        workers=1,
    )
    assert [(row["name"], row["state"]) for row in rows] == [("nodes", "done"), ("files", "done"), ("bad", "failed")]
    assert workers["nodes"]["settings"].preset == "fast"
    assert workers["nodes"]["settings"].seed == 3
    np.testing.assert_array_equal(workers["nodes"]["moving"].data.numpy(), array_of(moving))
    np.testing.assert_array_equal(workers["nodes"]["fixed_mask"].numpy(), body)
    points = lattice_of(fixed).to_world(np.random.default_rng(0).uniform(3, 18, (20, 3)))
    expected = known_transform(lattice_of(fixed)).transform_points(points)
    np.testing.assert_allclose(workers["nodes"]["initial"].transform_points(points), expected, atol=1e-2)
    assert workers["files"]["pair"].fixed == workers["nodes"]["pair"].fixed  # one file for one node
    assert node_ids(scene) == before
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["nodes", "files", "bad"]


def test_a_list_of_files_will_do(pair, workers, tmp_path: Path) -> None:
    for node, name in zip(pair, ("a", "b"), strict=True):
        write_image(tmp_path / f"{name}.nii.gz", image_of(node))
    (tmp_path / "pairs.csv").write_text("name,fixed,moving\none,a.nii.gz,b.nii.gz\n")
    (row,) = RegistrationLogic(FakeEngine()).batch(tmp_path / "pairs.csv", tmp_path / "out")
    assert row["state"] == "done"


def test_what_a_pair_cannot_hold_is_said(pair, workers, tmp_path: Path) -> None:
    fixed, moving = pair
    logic = RegistrationLogic(FakeEngine())
    with pytest.raises(DsirError, match="nothing reads 'mask'"):
        logic.batch({"a": {"fixed": fixed, "moving": moving, "mask": fixed}}, tmp_path / "out")
    with pytest.raises(DsirError, match="needs a fixed and a moving"):
        logic.batch({"a": {"fixed": fixed}}, tmp_path / "out")
    with pytest.raises(DsirError, match="cannot name a folder"):
        logic.batch({"a/b": {"fixed": fixed, "moving": moving}}, tmp_path / "out")
