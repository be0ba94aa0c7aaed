"""SUV of a PET by body weight: worked out by hand, or refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from dicom_made import make_series
from dsir.cli.main import main
from dsir.dicom.suv import suv_factor, suv_facts
from dsir.errors import DsirError
from phantoms import dark_on_bright, lattice_of
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

HALF_LIFE = 6586.2  # s, fluorine-18


def pet() -> Dataset:
    """60 minutes after 350 MBq in 70 kg, decay corrected to the start of the scan."""
    header, tracer = Dataset(), Dataset()
    header.Modality, header.Units, header.DecayCorrection = "PT", "BQML", "START"
    header.CorrectedImage, header.PatientWeight = ["ATTN", "SCAT", "DECY"], 70
    header.SeriesDate, header.SeriesTime = "20260105", "101500"
    header.AcquisitionDate, header.AcquisitionTime = "20260105", "101500.5"
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = 350e6, HALF_LIFE
    tracer.RadiopharmaceuticalStartTime = "091500"
    header.RadiopharmaceuticalInformationSequence = Sequence([tracer])
    return header


def tracer_of(header: Dataset) -> Dataset:
    return header.RadiopharmaceuticalInformationSequence[0]


def test_by_hand() -> None:
    left = 350e6 * 2 ** (-3600 / HALF_LIFE)
    assert suv_factor(pet()) == pytest.approx(70_000 / left, rel=1e-9)
    header = pet()
    header.DecayCorrection = "ADMIN"
    assert suv_factor(header) == pytest.approx(70_000 / 350e6)
    header.Units = "GML"
    assert suv_factor(header) == 1.0
    header.Modality = "CT"
    assert suv_facts(header) == {}


def test_an_injection_before_midnight_and_one_with_its_date() -> None:
    header = pet()
    header.SeriesTime = header.AcquisitionTime = "003000"
    tracer_of(header).RadiopharmaceuticalStartTime = "233000"
    assert suv_factor(header) == pytest.approx(suv_factor(pet()))
    header = pet()
    tracer_of(header).RadiopharmaceuticalStartDateTime = "20260105091500.00+0100"
    assert suv_factor(header) == pytest.approx(suv_factor(pet()))


def spoil(name: str, value: object, *, tracer: bool = False) -> Callable[[Dataset], None]:
    def change(header: Dataset) -> None:
        item = tracer_of(header) if tracer else header
        if value is None:
            delattr(item, name)
        else:
            setattr(item, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spoil("Units", "CNTS"), "its values are in CNTS, not in Bq/mL"),
        (spoil("Units", None), "units that it does not say"),
        (spoil("CorrectedImage", ["ATTN"]), "attenuation and decay"),
        (spoil("DecayCorrection", "NONE"), "its decay is corrected to NONE"),
        (spoil("PatientWeight", None), "the patient's weight"),
        (spoil("PatientWeight", 0), "the patient's weight"),
        (spoil("RadiopharmaceuticalInformationSequence", None), "nothing of the tracer"),
        (spoil("RadionuclideTotalDose", None, tracer=True), "the dose"),
        (spoil("RadionuclideHalfLife", None, tracer=True), "the half life"),
        (spoil("RadiopharmaceuticalStartTime", None, tracer=True), "when the tracer was given"),
        (spoil("RadiopharmaceuticalStartDateTime", "20260101091500", tracer=True), "within a day of each other"),
        (spoil("SeriesTime", "120000"), "series time is later than its acquisition"),
        (spoil("SeriesTime", None), "the time of the series"),
    ],
)
def test_what_is_not_known_is_refused_with_the_reason(change: Callable[[Dataset], None], reason: str) -> None:
    header = pet()
    change(header)
    with pytest.raises(DsirError, match=reason):
        suv_factor(header)
    assert reason in suv_facts(header)["no_suv"]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A CT, and the same as a PET with its tracer."""
    root, grid = tmp_path_factory.mktemp("pet"), lattice_of((24, 26, 20), (6.0, 6.0, 6.0))
    ct = make_series(root / "ct", grid, values=lambda world: dark_on_bright(np.asarray(world)) - 1000.0)
    bright = make_series(root / "pet", grid, values=lambda world: dark_on_bright(np.asarray(world)))
    for file in bright.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.update(pet())
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.128"
        dataset.save_as(file)
    return ct, bright


@pytest.mark.slow
def test_a_warped_pet_is_there_in_suv_too(
    scans: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ct, moving = scans
    words = ["register", "--fixed", str(ct), "--moving", str(moving), "--preset", "pet_ct", "--brief", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    warped, suv = (nibabel.load(tmp_path / "out" / name).get_fdata() for name in ("warped.nii.gz", "warped_suv.nii.gz"))
    np.testing.assert_allclose(suv, warped * suv_factor(pet()), rtol=1e-4, atol=1e-6)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["series"]["moving"]["suv_factor"] == pytest.approx(suv_factor(pet()), rel=1e-5)
    assert "suv_factor" not in report["series"]["fixed"]
    assert main(["inspect", str(moving)]) == 0
    assert "SUV (body weight) = value x 0.000292" in capsys.readouterr().out

    for file in moving.iterdir():
        dataset = pydicom.dcmread(file)
        del dataset.PatientWeight
        dataset.save_as(file)
    assert main([*words, "--out", str(tmp_path / "none")]) == 0
    assert not (tmp_path / "none" / "warped_suv.nii.gz").exists()
    report = json.loads((tmp_path / "none" / "report.json").read_text())
    assert "No SUV of the moving PET: it does not say the patient's weight." in report["warnings"]
