"""What others have published on the same data, for the reader who wants to know where a figure stands.

Not measured here. Releases of the data, masks and the number of pairs differ; see Docs/learn2reg.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A method's figures.

    Attributes:
        note: what a fair comparison must know.
    """

    method: str
    dice: float
    note: str = ""


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "AbdomenMRCT": (
        Published("anatomix-dev-vit + MIND-SSC features, FireANTs", 0.879, "8 pairs, ROI masks, GPU, no folds"),
        Published("frozen DINOv3 + test-time optimisation", 0.790, "HD95 4.9 mm"),
        Published("anatomix + ConvexAdam", 0.756, "median 0.854"),
        Published("ConvexAdam + MIND-SSC", 0.735, "other release of the data, SD log J 0.45-0.88"),
        Published("ANTs SyN + MI", 0.574, "other release of the data"),
    ),
}
"""By the data set's name, as collected in November 2026."""
