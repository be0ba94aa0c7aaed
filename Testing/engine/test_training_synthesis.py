"""Looks: finite, repeatable, and truly different from one another."""

import numpy as np
import pytest
import torch
from dsir.training.curves import random_curve
from dsir.training.neighbourhood import random_neighbourhood
from dsir.training.random_numbers import step_generator
from dsir.training.synthesis import SynthesisSettings, look
from dsir.training.tissue import OUTSIDE_BRAIN, RIGHT_TO_LEFT, random_table
from dsir.training.views import ViewSettings, draw_views
from dsir.training.volumes import Source, clusters, noise_labels, shapes


def scan(seed: int = 0) -> Source:
    generator = step_generator(seed, 0)
    labels = noise_labels((40, 36, 44), 6, 10, generator)
    data = (labels * 200).to(torch.int16)
    return Source("made up", "scan", data, torch.ones_like(data, dtype=torch.bool), 1.5, "scan made")


SOURCES = {
    "scan": scan(),
    "shapes": shapes(40, 1.5, step_generator(1, 0)),
    "clusters": clusters(scan(), step_generator(2, 0)),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
@pytest.mark.parametrize("seed", range(5))
def test_looks_are_finite_and_the_seed_decides_them(source, seed):
    def draw() -> torch.Tensor:
        generator = step_generator(seed, 0)
        view, _ = draw_views(source.body, source.spacing, ViewSettings(size=20), generator)
        return look(source, view, SynthesisSettings(), generator)

    image = draw()
    assert image.shape == (20, 20, 20) and image.isfinite().all()
    assert torch.equal(image, draw())


def test_two_looks_of_one_view_are_not_simply_related():
    source = SOURCES["shapes"]
    relations = []
    for seed in range(12):
        generator = step_generator(seed, 0)
        view, _ = draw_views(source.body, source.spacing, ViewSettings(size=20), generator)
        first, second = (look(source, view, SynthesisSettings(), generator) for _ in range(2))
        seen = ((view.grid() >= 0) & (view.grid() <= 39)).all(0)  # what lies beyond the source is dark in all looks
        if first[seen].std() > 0 and second[seen].std() > 0:
            relations.append(abs(np.corrcoef(first[seen], second[seen])[0, 1]))
    assert np.median(relations) < 0.4


def test_left_and_right_look_alike_and_hidden_heads_are_brains():
    looks = random_table(531, step_generator(0, 0), hidden=True)
    assert all(looks.mean[right] == looks.mean[left] for right, left in RIGHT_TO_LEFT.items())
    assert (looks.mean[OUTSIDE_BRAIN:] == looks.mean[0]).all()


def test_a_neighbourhood_tells_a_border_from_a_tissue_of_the_same_brightness():
    # Grey matter (0.5), and a blurred border between white matter (1) and fluid (0.1) that passes through 0.5.
    image = torch.zeros(24, 24, 24)
    image[2:22, 2:22, 2:8] = 0.5
    image[2:22, 2:22, 8:22] = torch.tensor([1, 1, 1, 1, 1, 1, 0.8, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])
    apart = []
    for seed in range(20):
        looked = random_neighbourhood(image, step_generator(seed, 0))
        assert len(looked[image == 0].unique()) == 1
        apart.append(abs(float(looked[12, 12, 4] - looked[12, 12, 15])))
    assert sum(step > 0.1 for step in apart) >= 8  # a curve of intensity has no step there at all


def test_curves_include_ones_that_are_not_monotone():
    image = torch.linspace(0, 100, 4096)
    turns = []
    for seed in range(30):
        change = random_curve(image, step_generator(seed, 0), monotone=0.0)(image).diff()
        turns.append(bool((change > 1e-6).any() and (change < -1e-6).any()))
    assert sum(turns) > 15
