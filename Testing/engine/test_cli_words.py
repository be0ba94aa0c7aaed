"""Short commands from word to answer: settings, presets, describe, query by a transform."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from dsir.cli.main import main
from dsir.files.images import write_image
from dsir.files.transforms import write_transform
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur
from dsir.registration.preset_words import WORDS
from dsir.similarity.store import read_store
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear

SHIFT = np.array([6.0, -4.0, 2.0])
"""mm from the first scan to the second, whole voxels of it."""


def said(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command prints when all is well."""
    assert main([*map(str, words)]) == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A textured ball, the same moved, and the transform between them."""
    folder = tmp_path_factory.mktemp("scans")
    texture = gaussian_blur(torch.randn(1, 40, 40, 40, generator=torch.Generator().manual_seed(0)), 1.5)[0]
    index = torch.stack(torch.meshgrid(*(torch.arange(40.0) for _ in range(3)), indexing="ij"))
    ball = (500 + 150 * texture / texture.std()).clamp(min=100) * ((index - 19.5).norm(dim=0) < 17)
    moved = np.diag([2.0, 2.0, 2.0, 1.0])
    write_image(folder / "here.nii", Image(ball, Lattice((40, 40, 40), moved)))
    shift = np.eye(4)
    shift[:3, 3] = SHIFT
    write_image(folder / "there.nii", Image(ball, Lattice((40, 40, 40), shift @ moved)))
    write_transform(folder / "shift.tfm", Transform((Linear(shift),)))
    return folder / "here.nii", folder / "there.nii", folder / "shift.tfm"


def test_settings_are_told_with_their_meaning_as_they_would_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "settings", "--preset", "fast", "--set", "descent.levels.0.stiffness.bending=20")
    told = dict(zip(text.splitlines()[::2], text.splitlines()[1::2], strict=True))
    assert "descent.levels.0.stiffness.bending = 20.0" in told and "spacing = 3.0" in told
    assert all(meaning.strip() for meaning in told.values())


def test_presets_are_told_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "presets").splitlines()
    assert lines[::2] == list(WORDS) and lines[1].strip() == WORDS["fast"].whole


def test_features_are_stored_along_the_patients_axes(
    scans: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "describe", "--input", scans[0], "--descriptor", "mind", "--out", tmp_path / "f.npy")
    store = read_store(tmp_path / "f.npy")
    assert f"mind, 12 numbers for {' x '.join(map(str, store.lattice.shape))} voxels of 2 mm" in text
    assert np.linalg.norm(store.at(np.array([40.0, 40.0, 40.0]))) == pytest.approx(1.0, abs=1e-3)


def test_a_point_is_looked_for_where_the_transform_puts_it(
    scans: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    here, there, shift = scans
    place = ("--image", here, "--ras", 36, 42, 38, "--other", there, "--transform", shift, "--radius", 5)
    found = json.loads(said(capsys, "query", *place, "--descriptor", "mind", "--alone"))
    assert found["expected"] == (np.array([36, 42, 38]) + SHIFT).tolist()
    assert found["from_expected_mm"] < 1.0 and found["best"]["similarity"] > 0.99
