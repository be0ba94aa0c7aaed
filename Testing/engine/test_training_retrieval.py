"""The measure itself: a perfect descriptor, one that knows only where it is, and chance."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from dsir.features.mind import Mind
from dsir.geometry.sampling import gaussian_blur, index_grid
from point_retrieval import RetrievalSettings, retrieval

pytestmark = pytest.mark.slow

SETTINGS = RetrievalSettings(points=60, repeats=1)
SCAN = gaussian_blur(torch.randn(1, 48, 48, 48, generator=torch.Generator().manual_seed(0)), 2.5)[0]
BODY = torch.zeros(48, 48, 48, dtype=torch.bool)
BODY[6:-6, 6:-6, 6:-6] = True


class Position(Mind):
    """The trap in person: a code of the voxel's place in its frame."""

    def __call__(self, volume, mask=None):
        place = index_grid(tuple(volume.shape)) / 48
        return F.normalize(
            torch.cat([(place * k).sin() for k in range(1, 6)] + [(place * k).cos() for k in range(1, 6)]), dim=0
        )


def test_a_scan_finds_itself_displaced():
    found = retrieval(Mind(), SCAN, SCAN, BODY, 2.0, replace(SETTINGS, warp=0.2))
    assert found.right > 0.6 and found.median < 2.0


def test_knowing_the_place_in_the_frame_finds_nothing():
    assert retrieval(Position(), SCAN, SCAN, BODY, 2.0, SETTINGS).right < 0.1


def test_another_scan_is_chance():
    other = SCAN.flip(0).transpose(1, 2)
    assert retrieval(Mind(), SCAN, other, BODY, 2.0, SETTINGS).right < 0.15


def test_the_same_seed_gives_the_same_figures():
    assert retrieval(Mind(), SCAN, SCAN, BODY, 2.0, SETTINGS) == retrieval(Mind(), SCAN, SCAN, BODY, 2.0, SETTINGS)
