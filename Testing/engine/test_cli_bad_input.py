"""Every bad input is one sentence and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dsir.cli.main import main

SHAPE = (24, 22, 20)


def blob(shape: tuple[int, ...] = SHAPE, *, at: float = 0.5) -> np.ndarray:
    """A bright ellipsoid with some inner structure on a dark background."""
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    distance = sum((axis - at) ** 2 for axis in axes)
    values = np.where(distance < 0.14, 400 + 300 * np.sin(9 * axes[0]) * np.cos(7 * axes[-1]), 0)
    return values.astype(np.float32)


def save(path: Path, values: np.ndarray, affine: np.ndarray | None = None) -> Path:
    affine = np.diag([3.0, 3.0, 3.0, 1.0]) if affine is None else affine
    file = nib.Nifti1Image(values, None)
    file.header.set_sform(affine, code=1)
    nib.save(file, path)
    return path


@pytest.fixture
def fixed(tmp_path: Path) -> Path:
    return save(tmp_path / "fixed.nii.gz", blob())


def register(fixed: Path, moving: Path, out: Path, *more: str | Path) -> int:
    words = ["register", "--fixed", fixed, "--moving", moving, "--out", out, "--preset", "fast", "--threads", "1"]
    return main([str(word) for word in (*words, *more)])


def assert_one_sentence(capsys: pytest.CaptureFixture[str], *expected: str) -> None:
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("dsir: ")]
    assert len(said) == 1
    assert said[0].endswith(".")
    assert "Traceback" not in said[0]
    for word in expected:
        assert word in said[0]


def with_nan(folder: Path) -> Path:
    values = blob()
    values[3, 4, 5] = np.nan
    return save(folder / "moving.nii.gz", values)


def truncated(folder: Path) -> Path:
    noise = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    whole = save(folder / "whole.nii.gz", noise).read_bytes()
    (folder / "moving.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "whole.nii.gz").unlink()
    return folder / "moving.nii.gz"


def text_file(folder: Path) -> Path:
    (folder / "moving.nii.gz").write_text("this is not an image\n")
    return folder / "moving.nii.gz"


def zipped_text(folder: Path) -> Path:
    (folder / "moving.nii.gz").write_bytes(gzip.compress(b"nor is this " * 100))
    return folder / "moving.nii.gz"


def sheared(folder: Path) -> Path:
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[0, 1] = 1.0
    return save(folder / "moving.nii.gz", blob(), affine)


def singular(folder: Path) -> Path:
    return save(folder / "moving.nii.gz", blob(), np.diag([3.0, 3.0, 0.0, 1.0]))


BAD_IMAGES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nan": (with_nan, "NaN"),
    "constant": (lambda folder: save(folder / "moving.nii.gz", np.full(SHAPE, 7.0, np.float32)), "constant"),
    "flat": (lambda folder: save(folder / "moving.nii.gz", blob((24, 22))), "moving.nii.gz"),
    "four-dimensional": (lambda folder: save(folder / "moving.nii.gz", np.stack([blob()] * 3, -1)), "4 dimensions"),
    "one slice": (lambda folder: save(folder / "moving.nii.gz", blob((24, 22, 1))), "single slice"),
    "sheared": (sheared, "sheared"),
    "singular": (singular, "moving.nii.gz"),
    "truncated": (truncated, "damaged"),
    "text": (text_file, "moving.nii.gz"),
    "zipped text": (zipped_text, "moving.nii.gz"),
    "missing": (lambda folder: folder / "nowhere.nii.gz", "does not exist"),
    "empty folder": (lambda folder: (folder / "dicom").mkdir() or folder / "dicom", "dicom"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_refused(name: str, fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, expected = BAD_IMAGES[name]
    moving = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert register(fixed, moving, tmp_path / "out") == 2
    assert_one_sentence(capsys, expected)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_mask_is_refused(fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = save(tmp_path / "mask.nii.gz", np.zeros(SHAPE, np.uint8))
    assert register(fixed, fixed, tmp_path / "out", "--fixed-mask", mask) == 2
    assert_one_sentence(capsys, "mask.nii.gz", "empty")
    assert not (tmp_path / "out").exists()


def test_a_mask_beside_the_image_is_refused(fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = 5000
    mask = save(tmp_path / "mask.nii.gz", np.ones(SHAPE, np.uint8), affine)
    assert register(fixed, fixed, tmp_path / "out", "--fixed-mask", mask) == 2
    assert_one_sentence(capsys, "mask.nii.gz")


def test_images_without_common_ground_are_refused_when_the_start_may_not_move(
    fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = 5000
    far = save(tmp_path / "far.nii.gz", blob(), affine)
    (tmp_path / "settings.json").write_text('{"linear": {"start": "identity", "model": "none"}}')
    assert register(fixed, far, tmp_path / "out", "--settings", tmp_path / "settings.json") == 2
    assert_one_sentence(capsys, "share no space")
    assert not (tmp_path / "out").exists()


def test_labels_that_are_not_whole_numbers_are_refused(
    fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = save(tmp_path / "labels.nii.gz", blob() + 0.37)
    assert register(fixed, fixed, tmp_path / "out", "--moving-labels", labels) == 2
    assert_one_sentence(capsys, "labels.nii.gz", "whole numbers")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not json", "not JSON"),
        ("[1, 2]", "object"),
        ('{"nonsense": 3}', "nonsense"),
        ('{"descent": {"speed": 3}}', "speed"),
        ('{"descriptor": "sift"}', "sift"),
        ('{"linear": {"start": "guess"}}', "guess"),
        ('{"linear": {"model": "bent"}}', "bent"),
        ('{"descent": {"method": "prayer"}}', "prayer"),
        ('{"descent": {"spacings": [2.0, -1.0]}}', "spacings"),
        ('{"discrete": {"capture": "far"}}', "capture"),
        ('{"seed": "x"}', "seed"),
        ('{"device": "abacus"}', "abacus"),
    ],
)
def test_bad_settings_are_refused(
    text: str, expected: str, fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text(text)
    assert register(fixed, fixed, tmp_path / "out", "--settings", tmp_path / "settings.json") == 2
    assert_one_sentence(capsys, expected)


def test_a_start_that_is_not_a_transform_is_refused(
    fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "start.h5").write_text("no transform")
    assert register(fixed, fixed, tmp_path / "out", "--initial", tmp_path / "start.h5") == 2
    assert_one_sentence(capsys, "start.h5")


def test_a_result_that_is_there_is_not_replaced_unasked(
    fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert register(fixed, fixed, tmp_path / "out") == 2
    assert_one_sentence(capsys, "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_refused(
    fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert register(fixed, fixed, tmp_path / "file" / "out") == 2
    assert_one_sentence(capsys, "out")


def test_a_fault_of_ours_is_a_sentence_and_a_log_file(
    fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("dsir.workflow.pair.register", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert register(fixed, fixed, tmp_path / "out") == 1
    assert_one_sentence(capsys, "ZeroDivisionError")
    (log,) = tmp_path.glob("dsir-error-*.log")
    assert "Traceback" in log.read_text()
    assert not (tmp_path / "out").exists()


def test_too_little_memory_is_said_with_a_remedy(
    fixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("dsir.workflow.pair.register", greedy)
    assert register(fixed, fixed, tmp_path / "out") == 2
    assert_one_sentence(capsys, "memory", "--preset fast")


def test_a_name_that_is_not_utf_8_is_refused_before_itk_sees_it(capsys):
    assert main(["inspect", "scan\udce4.nrrd"]) == 2
    assert r"The name 'scan\udce4.nrrd' is not UTF-8; rename" in capsys.readouterr().err
