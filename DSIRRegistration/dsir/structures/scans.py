"""The scan that something is drawn on: a DICOM series, or any image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..dicom.series import Series, read_series
from ..errors import DsirError
from ..files.images import read_image
from ..geometry.image import Image
from ..geometry.lattice import Lattice


@dataclass(frozen=True)
class Scan:
    """A scan, with its DICOM series where it has one.

    Attributes:
        series: the slices with their identities; None for an image that is no series.
        image: the voxels; None where no scan was given.
    """

    series: Series | None = None
    image: Image | None = None

    @property
    def lattice(self) -> Lattice:
        """Of its voxels.

        Raises:
            DsirError: no scan was given.
        """
        return self.voxels.lattice

    @property
    def voxels(self) -> Image:
        """Its image.

        Raises:
            DsirError: no scan was given.
        """
        if self.image is None:
            raise DsirError("This needs the scan itself, and none was given.")
        return self.image

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is wrong with the series, for contours that go onto it."""
        gaps = self.series.gaps if self.series else ""
        return (f"{gaps}; no contour is written there.",) if gaps else ()


def read_scan(folder: Path | None, file: Path | None, wanted: tuple[str, ...] = ()) -> Scan:
    """Read a series or else an image.

    Args:
        wanted: series UIDs to choose by, where the folder holds several.

    Raises:
        DsirError: as :func:`.rt.series.read_series` and :func:`dsir.files.images.read_image`.
    """
    if folder is None:
        return Scan(image=read_image(file) if file else None)
    series = read_series(folder, wanted=wanted)
    return Scan(series, series.volume())
