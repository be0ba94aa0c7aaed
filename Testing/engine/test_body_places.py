"""A doubt that holds in one part of the body is a doubt about what lies there, and about nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from dicom_made import ball
from dsir.geometry.image import Image
from dsir.registration.body_places import Places
from dsir.registration.findings import Finding, verdict_of
from dsir.shapes.stacking import stack
from dsir.shapes.structure import PointSet, Structure, StructureSet
from dsir.structures.doubts import RIM
from dsir.structures.propagate import Propagation, propagate
from dsir.structures.transform_confidence import TransformConfidence
from dsir.structures.verdict import Light
from dsir.transforms.composite import Transform
from dsir.workflow.findings_beside import findings_beside
from grids import lattice

OBLIQUE = lattice((40, 40, 40), (3.0, 3.0, 3.0), degrees=30)
LOW, HIGH = np.array([[-0.5, -0.5, -0.5]]), np.array([[9.5, 39.5, 39.5]])
"""Of the first ten planes."""

SCAN = lattice((60, 50, 30), (2.0, 2.0, 3.0))
HERE = "It lies in a part of the body where the scans agree better when shifted by 3 mm."


def at(*index: float) -> np.ndarray:
    return OBLIQUE.to_world(np.array([index]))


def test_a_place_is_a_box_along_the_scan_s_own_axes() -> None:
    places = Places.between(HERE, OBLIQUE, LOW, HIGH)
    assert places.reach(at(0, 20, 20)) and places.reach(at(9, 39, 0))
    assert not places.reach(at(10, 20, 20)) and not places.reach(at(30, 20, 20))
    assert places.reach(at(12, 20, 20), rim=9.0) and not places.reach(at(12, 20, 20), rim=6.0)
    assert places.reach(np.concatenate([at(30, 20, 20), at(5, 5, 5)]))  # one point of many is enough
    assert not places.reach(np.empty((0, 3)))


def test_a_mouse_s_places_are_brought_back_to_its_size() -> None:
    small = Places.between(HERE, OBLIQUE, LOW, HIGH).scaled(0.1)
    assert small.reach(0.1 * at(5, 20, 20)) and not small.reach(0.1 * at(12, 20, 20))


def test_places_are_read_from_a_report_as_they_were_written() -> None:
    finding = Finding("better_in_parts", "CHECK", "Look.", {"parts": 1.0}, Places.between(HERE, OBLIQUE, LOW, HIGH))
    read = Finding.of_json(json.loads(json.dumps(finding.to_json())))
    assert read.places is not None and read.places.words == HERE
    for index in ((8, 20, 20), (11, 20, 20)):
        assert read.places.reach(at(*index)) == (index[0] < 10)
    whole = Finding("mask", "CHECK", "Look.", {})
    assert "places" not in whole.to_json() and Finding.of_json(whole.to_json()) == whole


@pytest.mark.parametrize("boxes", [None, [{}], [{"corner_mm": [1, 2], "edges_mm": [[1, 2, 3]]}], "here"])
def test_a_report_that_somebody_changed_does_not_stop_the_work(tmp_path: Path, boxes: object) -> None:
    reason = Finding("blank", "CHECK", "Look.", {}).to_json() | {"places": {"words": HERE, "boxes": boxes}}
    (tmp_path / "report.json").write_text(json.dumps({"verdict": {"level": "CHECK", "reasons": [reason]}}))
    assert findings_beside(tmp_path / "transform.h5") == []


def ball_at(right: float, radius: float = 8.0) -> Structure:
    """Its centre so many mm right of the scan's."""
    built = stack(ball(SCAN, SCAN.centre + np.array([right, 0.0, 0.0]), radius), SCAN)
    return Structure(f"at {right:+.0f}", built.distance, built.lattice, 1, (0, 0, 0))


def propagated(source: StructureSet, doubts: list[Finding]) -> Propagation:
    """With scans that bear everything out."""
    sure, away = (Image(torch.full(SCAN.shape, value), SCAN) for value in (0.99, 0.2))
    return propagate(source, Transform(), SCAN, confidence=TransformConfidence(sure, away), doubts=doubts)


def beyond(right: float) -> Places:
    """All that lies more than so many mm to the right of the centre."""
    first = SCAN.to_index(SCAN.centre + np.array([right, 0.0, 0.0]))[0]
    return Places.between(HERE, SCAN, np.array([[first, -0.5, -0.5]]), np.array(SCAN.shape)[None] - 0.5)


def saved(folder: Path, *findings: Finding) -> list[Finding]:
    """As a later propagation finds them, beside the transform of a saved result."""
    (folder / "report.json").write_text(json.dumps({"verdict": verdict_of(findings)}))
    return findings_beside(folder / "transform.h5")


def test_a_contour_away_from_the_doubtful_part_is_judged_without_it(tmp_path: Path) -> None:
    near = ball_at(-RIM + 4)  # its rim reaches into the part
    source = StructureSet(SCAN, (ball_at(35.0), near, ball_at(-35.0)))
    doubts = saved(tmp_path, Finding("better_in_parts", "CHECK", "In 1 of 8 parts ...", {}, beyond(5.0)))
    verdicts = propagated(source, doubts).verdicts
    assert [v.light for v in verdicts] == [Light.AMBER, Light.AMBER, Light.GREEN]
    assert [v.reasons[0] == HERE for v in verdicts] == [True, True, False]


def test_a_doubt_without_a_place_reaches_every_contour(tmp_path: Path) -> None:
    source = StructureSet(SCAN, (ball_at(35.0), ball_at(-35.0)))
    doubts = saved(tmp_path, Finding("low_similarity", "CHECK", "It is low.", {}))
    verdicts = propagated(source, doubts).verdicts
    assert all(v.light is Light.AMBER and v.reasons == ("Of the registration: It is low.",) for v in verdicts)


def test_points_are_judged_by_where_they_lie_as_well(tmp_path: Path) -> None:
    right, left = (SCAN.centre[None] + np.array([[mm, 0.0, 0.0]]) for mm in (35.0, -35.0))
    marks = PointSet("right", right, 1, (0, 0, 0)), PointSet("left", left, 2, (0, 0, 0))
    doubts = saved(tmp_path, Finding("better_in_parts", "CHECK", "In 1 of 8 parts ...", {}, beyond(5.0)))
    said = [verdict.reasons for verdict in propagated(StructureSet(SCAN, (), marks), doubts).verdicts]
    assert HERE in said[0] and HERE not in said[1]


@pytest.mark.parametrize(("same", "light"), [(None, Light.GREEN), (True, Light.GREEN), (False, Light.AMBER)])
def test_the_images_do_not_vouch_for_another_person_s_outline(tmp_path: Path, same: bool | None, light: Light) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"settings": {"same_person": same}}))
    source, doubts = StructureSet(SCAN, (ball_at(0.0),)), findings_beside(tmp_path / "transform.h5")
    (verdict,) = propagated(source, doubts).verdicts
    assert verdict.light is light and ("of two persons" in verdict.reasons[0]) == (same is False)
    sure = TransformConfidence(Image(torch.full(SCAN.shape, 0.99), SCAN))
    compared = propagate(source, Transform(), SCAN, reference=source, confidence=sure, doubts=doubts)
    assert compared.verdicts[0].light is Light.GREEN  # a reference does
