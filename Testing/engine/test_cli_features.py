"""What ``dsir features`` writes for other programs."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dsir.cli.main import main
from dsir.features.components import principal_components

AFFINE = np.array([[-3.0, 0, 0, 20], [0, 3, 0, -10], [0, 0, 3, 5], [0, 0, 0, 1]])


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """Two scans of one ball, the second brighter at the rim."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in (20, 22, 18)), indexing="ij"), -1)
    radius = np.linalg.norm(index - [10, 11, 9], axis=-1)
    noise = np.random.default_rng(0).normal(size=radius.shape)
    for name, bright in (("a", 100), ("b", 300)):
        values = (np.where(radius < 8, np.where(radius < 5, 100, bright), 0) + 5 * noise).astype(np.float32)
        nib.save(nib.Nifti1Image(values, AFFINE), tmp_path / f"{name}.nii.gz")
    return [str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz")]


def features(pair: list[str], *words: str) -> int:
    return main(["features", "--input", *pair, "--descriptor", "mind", "--spacing", "3", "-q", *words])


def test_a_nrrd_holds_the_same_vectors_at_the_same_places(pair: list[str], tmp_path: Path) -> None:
    assert features(pair[:1], "-o", str(tmp_path / "f.nii.gz")) == 0
    assert features(pair[:1], "-o", str(tmp_path / "f.nrrd")) == 0
    file, image = nib.load(tmp_path / "f.nii.gz"), sitk.ReadImage(str(tmp_path / "f.nrrd"))
    assert image.GetNumberOfComponentsPerPixel() == file.shape[3] == 12
    lps = np.array(image.TransformIndexToPhysicalPoint((2, 3, 4)))
    np.testing.assert_allclose(lps * [-1, -1, 1], (file.affine @ [2, 3, 4, 1])[:3], atol=1e-4)
    np.testing.assert_allclose(image[2, 3, 4], np.asarray(file.dataobj)[2, 3, 4], atol=1e-6)


def test_separate_channels_are_scalar_volumes(pair: list[str], tmp_path: Path) -> None:
    assert features(pair[:1], "-o", str(tmp_path / "f.nii.gz")) == 0
    chosen = ("--channels", "3", "0", "--separate", "--masked")
    assert features(pair, "-o", str(tmp_path / "a_f.nii.gz"), str(tmp_path / "b_f.nii.gz"), *chosen) == 0
    whole = np.asarray(nib.load(tmp_path / "f.nii.gz").dataobj)
    first = nib.load(tmp_path / "a_f_00.nii.gz")
    values = np.asarray(first.dataobj)
    assert first.ndim == 3 and (tmp_path / "b_f_01.nii.gz").is_file() and not (tmp_path / "a_f_02.nii.gz").exists()
    np.testing.assert_allclose(values[10, 11, 9], whole[10, 11, 9, 3], atol=1e-6)
    assert (values != 0).mean() < 0.7 * (whole[..., 3] != 0).mean()  # air, beyond the rim


def test_components_of_a_pair_keep_its_dot_products() -> None:
    basis = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0][:, :3]
    draw = torch.randn(2, 3, 6, 6, 6, generator=torch.Generator().manual_seed(1))
    volumes = [torch.einsum("cp,pijk->cijk", basis, part) for part in draw]  # rank 3, in 8 channels
    inside = [torch.ones(6, 6, 6, dtype=torch.bool)] * 2
    found = principal_components(volumes, inside, 3)
    assert found[0].shape[0] == 3
    before, after = (a.reshape(a.shape[0], -1).T @ b.reshape(b.shape[0], -1) for a, b in (volumes, found))
    assert torch.allclose(before, after, atol=1e-4)
    assert not torch.allclose(before, (lambda a, b: a.T @ b)(*(f[:2].reshape(2, -1) for f in found)), atol=0.1)


@pytest.mark.parametrize(
    "words, said",
    [
        (["-o", "one.nii.gz"], "2 scans need"),
        (["-o", "same.nrrd", "same.nrrd"], "file of its own"),
        (["-o", "x.nii.gz", "y.nii.gz", "--channels", "12"], "There is no channel 12"),
        (["-o", "x.nii.gz", "y.nii.gz", "--components", "13"], "1 to 12 components"),
        (["-o", "x.nii.gz", "y.png"], "must end in"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    words: list[str],
    said: str,
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert features(pair, *words) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz"]
