"""Figure 1, the query command, and what a confidence is worth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from calibration_fit import fit, left_out, reliability
from calibration_fit import write as write_curves
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.features.mind import Mind
from dsir.files.images import read_image, write_image
from dsir.geometry.image import Image
from dsir.similarity import calibration
from dsir.similarity.compare import Partner, augmented, compare
from dsir.similarity.figure import draw, write
from grids import lattice
from matplotlib.image import imread

pytestmark = [pytest.mark.slow, pytest.mark.models]

GRID = lattice((48, 44, 28), (2.0, 2.0, 3.0), degrees=9)


@pytest.fixture(scope="module")
def head() -> Image:
    """A ball with smooth texture in the air."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), -1)
    world = GRID.to_world(index) - GRID.centre
    rng = np.random.default_rng(0)
    waves = rng.standard_normal((40, 3))
    waves *= (2 * np.pi / rng.uniform(12, 40, 40) / np.linalg.norm(waves, axis=1))[:, None]
    texture = np.cos(world @ waves.T + rng.uniform(0, 6, 40)).sum(-1)
    ball = np.linalg.norm(world, axis=-1) < 34
    return Image(torch.from_numpy(np.where(ball, 100 + 5 * texture, 0).astype(np.float32)), GRID)


@pytest.fixture
def files(head: Image, tmp_path: Path) -> Path:
    write_image(tmp_path / "a.nii.gz", head)
    write_image(tmp_path / "b.nii.gz", Image(head.data.amax() - head.data, GRID))
    return tmp_path


def test_a_voxel_finds_itself_without_rivals_and_less_surely_in_another_contrast(head: Image) -> None:
    point = GRID.centre + np.array([3.0, -4.0, 5.0])
    rows = compare(head, point, augmented(head, point), [Mind()])
    own = rows[0][0]
    assert own.distance < 2.0 and own.rivals == 0
    assert all(row[0].answer.best.similarity < own.answer.best.similarity for row in rows[2:])


def test_without_a_known_place_no_distance_is_claimed(head: Image) -> None:
    finding = compare(head, GRID.centre, [Partner("other", head, None)], [Mind()])[0][0]
    assert finding.distance is None


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_figure_can_be_written_in_every_kind(kind: str, head: Image, tmp_path: Path) -> None:
    partners = [Partner("marked image", head, GRID.centre), Partner("other", head, None)]
    figure = draw(partners, compare(head, GRID.centre, partners, [Mind()]), plane="coronal", zoom=50)
    write(figure, tmp_path / f"figure.{kind}", kind)
    assert (tmp_path / f"figure.{kind}").stat().st_size > 5000


def test_panels_keep_the_physical_aspect(head: Image) -> None:
    partners = [Partner("marked image", head, GRID.centre)]
    figure = draw(partners, compare(head, GRID.centre, partners, [Mind()]), plane="sagittal", zoom=40)
    box = figure.axes[0].get_position()
    width, height = figure.get_size_inches() * (box.width, box.height)
    assert width == pytest.approx(height, rel=0.03)


def test_figure_command(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    point = [str(x) for x in GRID.centre]
    words = ["figure", "--image", str(files / "a.nii.gz"), "--ras", *point, "--other", str(files / "b.nii.gz")]
    done = main([*words, "--plain", "--descriptors", "mind", "--out", str(files / "f.png"), "--json-progress"])
    assert done == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["image"] for row in said["findings"]] == ["marked image", "b"]
    assert imread(files / "f.png").shape[1] > 2000


def test_query_command_prints_json_and_writes_the_heat_map(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    point = GRID.centre + np.array([3.0, -4.0, 5.0])
    words = ["query", "--image", str(files / "a.nii.gz"), "--ras", *map(str, point), "--descriptor", "mind"]
    words += ["--radius", "10"]
    assert main([*words, "--heat-map", str(files / "heat.nii.gz")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert np.linalg.norm(np.array(said["best"]["ras"]) - point) < 3.0
    heat = read_image(files / "heat.nii.gz")
    assert heat.lattice.matches(GRID)
    # The map lies on the image's own voxels and the match between them: near the match it is as hot as anywhere.
    corner = np.floor(GRID.to_index(np.array(said["best"]["ras"]))).astype(int)
    around = tuple(slice(n, n + 2) for n in corner)
    assert heat.data[around].max() > heat.data.max() - 0.1


def test_a_query_outside_the_scan_is_one_sentence(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "--image", str(files / "a.nii.gz"), "--ras", "999", "0", "0"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("dsir: The point (999.0, 0.0, 0.0) mm (RAS) lies outside")


def evidence(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matches whose true chance is known."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((count, 4)) * [0.1, 0.05, 2.0, 1.0] + [0.8, 0.05, -4.0, 5.0]
    chance = 1 / (1 + np.exp(-(20 * (found[:, 1] - 0.05) + 0.8 * (found[:, 2] + 4))))
    return found, chance, rng.random(count) < chance


def test_the_fitted_curve_recovers_known_chances() -> None:
    found, _, right = evidence(4000, 0)
    fresh, chance, happened = evidence(4000, 1)
    predicted = fit(found, right).probability(fresh)
    assert np.abs(predicted - chance).mean() < 0.03
    curve = reliability(predicted, happened)
    assert np.abs(curve[:, 0] - curve[:, 1]).max() < 0.08


def test_a_pair_left_out_is_judged_by_the_others_alone() -> None:
    (found, _, right), (other, _, happened) = evidence(2000, 0), evidence(2000, 1)
    chance = left_out([found, other], [right, ~happened])  # the second pair's answers are upside down
    assert np.allclose(chance[:2000], fit(other, ~happened).probability(found))
    assert np.allclose(chance[2000:], fit(found, right).probability(other))


def test_matches_of_one_kind_cannot_be_calibrated_on() -> None:
    with pytest.raises(DsirError, match="too few"):
        fit(np.zeros((50, 4)), np.ones(50, dtype=bool))


def test_a_calibration_is_only_used_for_the_weights_it_belongs_to(
    head: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _, right = evidence(200, 0)
    write_curves(tmp_path / "c.json", {"mind:alone": fit(found, right, sha256="abc")})
    monkeypatch.setattr(calibration, "shipped", lambda: calibration.read(tmp_path / "c.json"))
    answer = compare(head, GRID.centre, [Partner("own", head, GRID.centre)], [Mind()])[0][0].answer
    assert calibration.chance_within(answer, {"descriptor": "mind", "sha256": "other"}) is None
    assert calibration.chance_within(answer, {"descriptor": "unheard of"}) is None
    assert 0 <= calibration.chance_within(answer, {"descriptor": "mind", "sha256": "abc"}) <= 1
