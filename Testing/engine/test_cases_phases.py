"""Simulated contrast phases: organs change, anatomy and everything unlabelled stay."""

from __future__ import annotations

import numpy as np
import torch
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from phases import PHASES, in_phase

NAMES = {1: "liver", 2: "aorta", 3: "kidney_left", 4: "vertebrae"}


def abdomen() -> tuple[Image, torch.Tensor]:
    """Four boxes of organs in a body of 40 HU, 2 mm; every organ has a texture."""
    labels = torch.zeros(48, 40, 24, dtype=torch.int16)
    for value, start in enumerate(((4, 4, 4), (28, 4, 4), (4, 22, 4), (28, 22, 4)), 1):
        labels[tuple(slice(s, s + 16) for s in start)] = value
    texture = torch.as_tensor(np.random.default_rng(0).normal(0, 5, labels.shape), dtype=torch.float32)
    return Image(40 + texture, Lattice(tuple(labels.shape), np.diag([2.0, 2.0, 2.0, 1.0]))), labels


def test_each_organ_takes_the_phase_s_median_and_keeps_its_texture() -> None:
    ct, labels = abdomen()
    for phase in PHASES:
        made = in_phase(ct, labels, NAMES, phase, lesions=0, noise=0.0)
        inner = torch.zeros_like(labels, dtype=torch.bool)
        inner[30:42, 6:18, 6:18] = True  # the aorta without its softened edge
        assert abs(float(made.data[inner].median()) - PHASES[phase]["aorta"]) < 2
        assert abs(float((made.data - ct.data)[inner].std())) < 0.1


def test_what_is_not_enhanced_stays_as_it_was() -> None:
    ct, labels = abdomen()
    made = in_phase(ct, labels, NAMES, "arterial", noise=0.0)
    assert torch.equal(made.data[30:42, 24:36, 6:18], ct.data[30:42, 24:36, 6:18])  # vertebrae


def test_the_kidney_s_rim_is_brighter_than_its_inside_in_the_arterial_phase() -> None:
    ct, labels = abdomen()
    made = in_phase(ct, labels, NAMES, "arterial", noise=0.0)
    assert float(made.data[5, 24:36, 8:16].mean()) > float(made.data[12, 28:32, 11:13].mean()) + 50


def test_a_lesion_is_brighter_than_the_liver_early_and_darker_late_at_the_same_place() -> None:
    ct, labels = abdomen()
    early, late = (
        in_phase(ct, labels, NAMES, phase, noise=0.0).data
        - in_phase(ct, labels, NAMES, phase, noise=0.0, lesions=0).data
        for phase in ("arterial", "portal")
    )
    assert float(early.max()) > 30 and float(late.min()) < -30
    assert torch.equal(early.abs() > 20, late.abs() > 15)
