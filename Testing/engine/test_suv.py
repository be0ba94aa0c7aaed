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
from dsir.dicom.series import read_series
from dsir.dicom.suv import suv_factor, suv_facts
from dsir.errors import DsirError
from dsir.geometry.image import Image
from dsir.rt.series_out import write_series
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


def test_a_series_made_anew_starts_when_its_maker_or_its_frame_says() -> None:
    header = pet()
    header.SeriesTime, header.AcquisitionTime = "150000", "102000"  # copied in the afternoon; the fifth bed position
    block = header.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20260105101500.00")
    assert suv_factor(header) == pytest.approx(suv_factor(pet()))

    del header[block.get_tag(0x0D)]
    with pytest.raises(DsirError, match="made anew, and nothing else tells the start"):
        suv_factor(header)
    # A bed of 60 s that began 300 s after the start; its count rate is the mean one a little before its middle.
    header.ActualFrameDuration, decay = 60_000, np.log(2) / HALF_LIFE
    mean = np.log(decay * 60 / (1 - np.exp(-decay * 60))) / decay
    assert 29.9 < mean < 30.0
    header.FrameReferenceTime = 1000 * (300 + mean)
    assert suv_factor(header) == pytest.approx(suv_factor(pet()), rel=1e-6)


@pytest.mark.parametrize("as_read_without_its_type", [False, True])
def test_counts_of_a_maker_are_read_by_its_private_factors(as_read_without_its_type: bool) -> None:
    def with_factor(element: int, value: str) -> Dataset:
        header = pet()
        header.Units = "CNTS"
        block = header.private_block(0x7053, "Philips PET Private Group", create=True)
        kind, said = ("UN", value.encode() + b" ") if as_read_without_its_type else ("DS", value)
        block.add_new(element, kind, said)
        return header

    assert suv_factor(with_factor(0x00, "0.00027634")) == pytest.approx(0.00027634)
    assert suv_factor(with_factor(0x09, "2.5")) == pytest.approx(2.5 * suv_factor(pet()))
    for broken in ("0", "-1", "x")[: 3 if as_read_without_its_type else 2]:
        with pytest.raises(DsirError, match="without the private factor"):
            suv_factor(with_factor(0x00, broken))


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
        (spoil("Units", "CNTS"), "its values are in CNTS, without the private factor"),
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

    still, moved = read_series(ct), read_series(moving)
    write_series(tmp_path / "warped", Image(moved.volume().data * 0.25, still.lattice), still, moved, suv=True)
    header = pydicom.dcmread(next((tmp_path / "warped").iterdir()))
    assert header.Units == "GML" and "SUVbw g/mL" in header.SeriesDescription
    again = read_series(tmp_path / "warped")
    assert suv_factor(again.header) == 1.0
    assert np.abs(again.volume().data.numpy() - 0.25 * moved.volume().data.numpy()).max() < 0.01

    for file in moving.iterdir():
        dataset = pydicom.dcmread(file)
        del dataset.PatientWeight
        dataset.save_as(file)
    assert main([*words, "--out", str(tmp_path / "none")]) == 0
    assert not (tmp_path / "none" / "warped_suv.nii.gz").exists()
    report = json.loads((tmp_path / "none" / "report.json").read_text())
    assert "No SUV of the moving PET: it does not say the patient's weight." in report["warnings"]
