"""A training of seconds, and something to train on."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from dsir.features.masrnet import MasrNetSettings
from dsir.training.batches import ExampleSettings, Mixture
from dsir.training.contrast import LossSettings
from dsir.training.random_numbers import step_generator
from dsir.training.train import TrainingSettings
from dsir.training.views import ViewSettings
from dsir.training.volumes import noise_labels

SMALL = TrainingSettings(
    network=MasrNetSettings(widths=(8, 16), depth=(0, 0), local_contrast=(3,), features=8, channels=8),
    examples=ExampleSettings(views=ViewSettings(size=16), mixture=Mixture(shapes=0)),
    loss=LossSettings(positions=96),
    steps=6,
    warmup=2,
    report=3,
    precision="32-true",
    accelerator="cpu",
)


def one_scan(folder: Path) -> Path:
    """The folder, with one scan of 72 x 80 x 64 mm in it."""
    folder.mkdir()
    labels = noise_labels((36, 40, 32), 6, 8, step_generator(0, 0)).numpy().astype(np.int16)
    nib.save(nib.Nifti1Image(labels * 150, np.diag([2.0, 2, 2, 1])), folder / "a_scan.nii.gz")
    return folder
