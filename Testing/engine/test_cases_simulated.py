"""Cone beam and PET, simulated from a CT: each fault and each tissue is there, and the anatomy stays where it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cone_beam import AIR, ConeBeam, cone_beam
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from positron import HOT, positron_image

GRID = Lattice((60, 60, 30), np.diag([4.0, 4.0, 4.0, 1.0]))
CLEAN = ConeBeam(cupping=0.0, gain=1.0, offset=0.0, streaks=0.0, noise=0.0)


@pytest.fixture(scope="module")
def trunk() -> tuple[Image, torch.Tensor]:
    """A cylinder of water with a rod of bone and a rod of lung."""
    x, y = np.meshgrid(np.arange(60) - 29.5, np.arange(60) - 29.5, indexing="ij")
    body = np.hypot(x, y) < 26
    slice_ = np.where(body, 20.0, -1000.0)
    slice_[np.hypot(x - 12, y) < 4] = 900.0
    slice_[np.hypot(x + 12, y) < 6] = -800.0
    volume = torch.as_tensor(np.repeat(slice_[..., None], 30, 2), dtype=torch.float32)
    return Image(volume, GRID), torch.as_tensor(np.repeat(body[..., None], 30, 2))


def changed(trunk: tuple[Image, torch.Tensor], **faults: float) -> torch.Tensor:
    wide = ConeBeam(**{**vars(CLEAN), "width": 1000.0, "length": 1000.0, **faults})
    return cone_beam(*trunk, wide).data - trunk[0].data


def test_beyond_its_cylinder_a_cone_beam_shows_air_and_within_it_the_ct(trunk: tuple[Image, torch.Tensor]) -> None:
    made = cone_beam(*trunk, ConeBeam(**{**vars(CLEAN), "width": 160.0, "length": 80.0})).data
    assert float(made[30, 30, 2]) == AIR and float(made[30, 52, 15]) == AIR
    assert torch.equal(made[25:35, 25:35, 10:20], trunk[0].data[25:35, 25:35, 10:20])


def test_the_middle_is_darker_than_the_rim(trunk: tuple[Image, torch.Tensor]) -> None:
    cup = changed(trunk, cupping=150.0, width=208.0)
    assert float(cup[30, 30, 15]) == pytest.approx(-150, abs=2) and float(cup[30, 54, 15]) > -30


def test_streaks_leave_the_bone_and_noise_is_everywhere(trunk: tuple[Image, torch.Tensor]) -> None:
    streaks = changed(trunk, streaks=40.0)
    assert 20 < float(streaks[trunk[1]].std()) < 60 and float(streaks[~trunk[1]].abs().max()) == 0
    soft = trunk[0].data == 20.0
    assert float(changed(trunk, noise=45.0)[soft].std()) == pytest.approx(45, rel=0.1)


def test_the_same_seed_is_the_same_day(trunk: tuple[Image, torch.Tensor]) -> None:
    days = [cone_beam(*trunk, seed=seed).data for seed in (1, 1, 2)]
    assert torch.equal(days[0], days[1]) and not torch.equal(days[0], days[2])


def test_a_pet_takes_up_by_tissue_is_coarse_and_lies_where_the_ct_lies(trunk: tuple[Image, torch.Tensor]) -> None:
    pet = positron_image(*trunk)
    assert np.allclose(pet.lattice.spacing, 4.0) and np.allclose(pet.lattice.centre, GRID.centre, atol=2.0)
    water, lung, air = (float(pet.data[at].median()) for at in ((30, 40), (18, 30), (2, 2)))
    assert water > 1.4 * lung > 0 and air == 0
    assert 2.0 < float(pet.data.max()) < 1.5 * HOT
