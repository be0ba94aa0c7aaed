"""The shipped weights earn their place: made-up anatomy under two contrasts, nothing of it ever trained on."""

import pytest
import torch
from dsir.features.descriptor import load_descriptor
from dsir.features.dsir import has_bfloat16
from dsir.features.mind import Mind
from dsir.features.weights import manifest
from dsir.geometry.sampling import gaussian_blur
from dsir.training.random_numbers import step_generator
from dsir.training.volumes import noise_labels
from point_retrieval import RetrievalSettings, retrieval

pytestmark = [pytest.mark.skipif("dsir" not in manifest(), reason="no weights are shipped yet"), pytest.mark.models]

LABELS = noise_labels((56, 56, 56), 7, 7, step_generator(77, 0))
INSIDE = torch.ones(56, 56, 56, dtype=torch.bool)


def contrast(seed: int) -> torch.Tensor:
    """The labels with random means, a little blur and noise."""
    generator = step_generator(seed, 3)
    image = gaussian_blur(torch.rand(7, generator=generator)[LABELS][None], 0.6)[0]
    return image + 0.02 * torch.randn(image.shape, generator=generator)


def test_points_are_found_across_contrasts_far_better_than_by_mind():
    settings = RetrievalSettings(points=150, repeats=1)
    first, second = contrast(1), contrast(2)
    learned = retrieval(load_descriptor("dsir"), first, second, INSIDE, 2.0, settings)
    mind = retrieval(Mind(), first, second, INSIDE, 2.0, settings)
    assert learned.right > 0.2 and learned.right > 2 * mind.right
    assert learned.near < mind.near


@pytest.mark.parametrize("change", [lambda x: 1000 * x - 1024, lambda x: 1 - x], ids=["units", "inverted"])
def test_units_and_inversion_change_the_features_little(change):
    image, dsir = contrast(1), load_descriptor("dsir")
    alike = (dsir(image) * dsir(change(image))).sum(0)
    assert alike.median() > 0.8


@pytest.mark.skipif(
    not has_bfloat16(torch.device("cpu")), reason="no bfloat16 here, so never asked for: emulated, it takes a minute"
)
def test_half_precision_gives_the_same_features():
    image, dsir = contrast(1)[:40, :40, :40], load_descriptor("dsir")
    dsir.half = True
    half = dsir(image)
    dsir.half = False
    assert (half * dsir(image)).sum(0).quantile(0.05) > 0.98
