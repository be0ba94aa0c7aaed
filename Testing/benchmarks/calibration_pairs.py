"""The pairs on which confidences are calibrated: people of ``train/`` alone, each bent by a known deformation.

``cases/`` is for judging: nobody of it is in here, and the averaged heads, which are meant for evaluation alone, are
not either. Every pair is another person's, so that leaving out a pair leaves out a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from dsir.evaluation.cases import Case, known_case
from dsir.evaluation.deformation import DeformationSettings
from dsir.files.images import read_image
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.similarity.random_contrast import random_contrast

BEND = DeformationSettings(knots=45.0, amplitude=12.0, translation=3.0)

PAIRS = (
    ("p1_stroke_t1", "p1_stroke_t2", 2.0),
    ("p5_glioma_t1", "p5_glioma_flair", 2.0),
    ("s11_brain_t1", None, 2.0),
    ("s12_brain_t1", None, 2.0),
    ("s18_brain_t2", None, 2.0),
    ("s1_headneck_ct_054", None, 3.0),
    ("s1_headneck_ct_115", None, 3.0),
    ("s3_abdomen_ct", None, 3.0),
    ("s6_heart_cta", None, 2.5),
)
"""The scan that is bent, its partner (None: itself in a made-up contrast), and mm of the voxels."""

LENGTH = 120.0
"""mm along the body, at most: whole trunks take minutes to describe."""


def calibration_pairs(data: Path) -> Iterator[Case]:
    """Each pair, ready to be registered.

    Args:
        data: the folder that holds ``train``.
    """
    for seed, (name, other, spacing) in enumerate(PAIRS):
        image = _read(data / "train" / f"{name}.nii.gz", spacing)
        air, body = float(image.data.min()), body_mask(image)
        if other is not None:
            partner = _read(data / "train" / f"{other}.nii.gz", spacing).on(image.lattice)
        else:
            soft = Image(image.data.clamp(-200, 400), image.lattice) if air < 0 else image
            partner = random_contrast(soft, body, seed=seed)
        background = air if air < 0 else 0.0
        yield known_case(name, image, partner, body, deformation=BEND, seed=seed, background=background)


def _read(path: Path, spacing: float) -> Image:
    """At the spacing, and no longer than :data:`LENGTH`: the middle of it."""
    whole = read_image(path)
    image = whole.on(whole.lattice.with_spacing(spacing))
    count = image.lattice.shape[2]
    kept = min(count, round(LENGTH / spacing))
    first = (count - kept) // 2
    window = image.lattice.window(np.array([0, 0, first]), (*image.lattice.shape[:2], kept))
    return Image(image.data[:, :, first : first + kept].clone(), window)
