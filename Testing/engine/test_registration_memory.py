"""A registration says before it begins what it takes, and stays below what it is allowed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.cli.values import mebibytes
from dsir.errors import DsirError
from dsir.features.descriptor import Descriptor
from dsir.features.dsir import Dsir
from dsir.features.masrnet import MasrNetSettings
from dsir.features.mind import Mind
from dsir.geometry.lattice import Lattice
from dsir.registration.memory import Plan, piece_of_features, planned
from dsir.registration.settings import RegistrationSettings
from dsir.registration.working_grid import PIECE, describe
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from phantoms import bright_on_dark, inside, lattice_of, render

HUGE = lattice_of((512, 512, 400), (0.8, 0.8, 1.0))
NETWORK = MasrNetSettings(widths=(4, 8), depth=(0, 0), local_contrast=(2,), features=4, channels=6)
SMALL = lattice_of((120, 90, 20), (3.0, 3.0, 6.0))


def plan(memory: int, moving: Lattice = HUGE, voxels: int = 2_500_000) -> Plan:
    settings = RegistrationSettings(memory=memory, voxels=voxels)
    return planned(HUGE, moving, HUGE.with_spacing(2.0), Mind(), settings)


def test_without_a_limit_nothing_changes() -> None:
    found = plan(0)
    assert found.settings == RegistrationSettings() and found.piece == PIECE and not found.warnings


def test_smaller_images_need_less() -> None:
    assert plan(0, SMALL).mib < plan(0).mib < 8e9 / 2**20


def test_under_a_tighter_limit_the_lattice_shrinks_and_the_report_says_so() -> None:
    body = lattice_of((256, 256, 200), (1.6, 1.6, 2.0))

    def plan(memory: int) -> Plan:
        settings = RegistrationSettings(memory=memory, voxels=12_000_000)
        return planned(body, body, body.with_spacing(1.5), Mind(), settings)

    free = int(plan(0).mib)
    limit = next(memory for memory in range(free, free // 2, -25) if plan(memory).warnings)
    tight, roomy = plan(limit), plan(limit + 25)
    assert tight.settings.voxels < 12_000_000 and "million voxels" in tight.warnings[0]
    assert roomy.settings.voxels == 12_000_000 and not roomy.warnings
    assert tight.mib <= limit and roomy.mib <= limit + 25


def test_a_limit_that_cannot_be_kept_is_one_clear_sentence() -> None:
    with pytest.raises(DsirError, match=r"needs about \d+\.\d GB at the least, and only 1\.0 GB are allowed"):
        plan(954)
    with pytest.raises(DsirError, match="larger --spacing"):
        piece_of_features(HUGE, HUGE.with_spacing(0.8), Mind(), 2000)


@pytest.mark.slow
@pytest.mark.parametrize("descriptor", [Mind(), Dsir.untrained(NETWORK)], ids=["mind", "network"])
def test_pieces_of_any_size_describe_alike(descriptor: Descriptor) -> None:
    lattice = lattice_of((44, 36, 32), (4.0, 4.0, 4.0))
    image, body = render(lattice, bright_on_dark), render(lattice, inside).data > 0.5
    turn = np.eye(4)
    turn[:2, :2] = [[0.98, -0.199], [0.199, 0.98]]
    pose = Transform((Linear(turn),))
    whole, pieces = (describe(descriptor, image, body, lattice, pose, piece=piece) for piece in (10**6, 20_000))
    assert (whole.features.float() - pieces.features.float()).abs().max() < 2e-3  # half precision rounds to 5e-4
    assert whole.features.any() and torch.equal(whole.mask, pieces.mask)


@pytest.mark.parametrize("text, mib", [("8GB", 7629), ("8 GiB", 8192), ("6000mib", 6000), ("1.5gb", 1430)])
def test_sizes_are_read_in_both_units(text: str, mib: int) -> None:
    assert mebibytes(text) == mib


@pytest.mark.parametrize("text", ["8", "GB", "-1GB", "1.2.3GB", "0MB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(Exception, match="not a size of memory"):
        mebibytes(text)
