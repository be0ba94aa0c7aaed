"""Dose-volume histograms against what can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from dsir.dicom.series import read_series
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.metrics.dvh import dvh
from dsir.rt.dose import read_dose
from dsir.rt.structures_in import read_rtstruct
from studies_made import GRID, make_dose, make_studies


def ramp(lattice: Lattice) -> Image:
    """1 Gy a mm along the first RAS axis."""
    world = lattice.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in lattice.shape), indexing="ij"), -1))
    return Image(torch.from_numpy(world[..., 0].astype(np.float32)), lattice)


@pytest.fixture
def box() -> tuple[torch.Tensor, Lattice]:
    """A box of 20 x 30 x 40 mm whose first side runs from x = 10 to x = 30 mm."""
    lattice = Lattice((60, 60, 60), np.diag([1.0, 1.0, 1.0, 1.0]))
    mask = torch.zeros(lattice.shape, dtype=torch.bool)
    mask[10:30, 5:35, 8:48] = True
    return mask, Lattice(lattice.shape, np.array([[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))


def test_a_ramp_over_a_box_is_worked_out_by_hand(box: tuple[torch.Tensor, Lattice]) -> None:
    dose = ramp(Lattice((40, 40, 40), np.diag([2.0, 2.0, 2.0, 1.0])))
    found = dvh(*box, dose)
    assert found.volume == pytest.approx(24.0)
    assert found.mean == pytest.approx(20.0, abs=0.05) and found.outside == 0
    assert found.dose_to(95) == pytest.approx(11.0, abs=0.5) and found.dose_to(2) == pytest.approx(29.6, abs=0.6)
    assert found.volume_above(25) == pytest.approx(25.0, abs=1.0)
    np.testing.assert_allclose(found.curve(np.array([0.0, 20.0, 40.0])), [100, 50, 0], atol=1.0)


def test_a_small_structure_is_sampled_within_its_voxels() -> None:
    lattice = Lattice((5, 5, 5), np.diag([10.0, 10.0, 10.0, 1.0]))
    mask = torch.zeros(lattice.shape, dtype=torch.bool)
    mask[2, 2, 2] = True
    found = dvh(mask, lattice, ramp(Lattice((50, 50, 50), np.eye(4))))
    assert found.volume == pytest.approx(1.0)
    assert found.least == pytest.approx(16.25) and found.most == pytest.approx(23.75)


def test_what_lies_outside_the_dose_gets_none_and_is_said(box: tuple[torch.Tensor, Lattice]) -> None:
    found = dvh(*box, ramp(Lattice((21, 60, 60), np.eye(4))))
    assert found.outside == pytest.approx(0.45)  # the grid reaches half a voxel beyond its last centre
    assert found.volume_above(0.001) == pytest.approx(55.0)


def test_a_shift_moves_the_structure_in_the_dose(box: tuple[torch.Tensor, Lattice]) -> None:
    dose = ramp(Lattice((60, 60, 60), np.eye(4)))
    assert dvh(*box, dose, shift=np.array([3.0, 0, 0])).mean - dvh(*box, dose).mean == pytest.approx(3.0, abs=1e-3)


def test_an_empty_structure_has_no_histogram() -> None:
    lattice = Lattice((5, 5, 5), np.eye(4))
    assert dvh(torch.zeros(5, 5, 5, dtype=torch.bool), lattice, ramp(lattice)) is None


def test_the_same_histograms_as_dicompyler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # dicompyler-core 0.5.6 asks pydicom for a name that pydicom 3 gave up.
    monkeypatch.setattr("pydicom.dicomio.read_file", pydicom.dcmread, raising=False)
    peer = pytest.importorskip("dicompylercore.dvhcalc", reason="dicompyler-core is not installed (extra 'test')")
    _, old = make_studies(tmp_path)
    header = pydicom.dcmread(next((old / "ct").iterdir()))
    fine = GRID.with_spacing(np.array([0.5, 0.5, 4.0]))  # it takes the dose of the grid's own pixels, without between
    make_dose(tmp_path / "rd.dcm", fine, header, "PLAN")
    drawn, dose = read_rtstruct(old / "rs_last.dcm", read_series(old / "ct")), read_dose(tmp_path / "rd.dcm")
    for number, structure in enumerate(drawn.structures, start=1):
        theirs = peer.get_dvh(str(old / "rs_last.dcm"), str(tmp_path / "rd.dcm"), number)
        ours = dvh(structure.distance > 0, structure.lattice, dose)
        assert theirs.name == structure.name
        assert ours.volume == pytest.approx(theirs.volume, rel=0.02)
        assert ours.mean == pytest.approx(theirs.mean, abs=0.1)
        for percent in (2, 50, 95, 98):
            assert ours.dose_to(percent) == pytest.approx(getattr(theirs, f"D{percent}").value, abs=0.6)
        for gray in (20.25, 40.25, 50.25, 70.25, 80.25):  # between two pixels, which lie 0.5 Gy apart
            share = 100 * theirs.statistic(f"V{gray}Gy").value / theirs.volume
            assert ours.volume_above(gray) == pytest.approx(share, abs=1.0)
