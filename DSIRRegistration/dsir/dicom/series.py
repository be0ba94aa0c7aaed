"""One volume of DICOM planes, with what ties it to its study: the only way in for every command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from pydicom.dataset import Dataset

from ..errors import DsirError
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from .choice import chosen
from .dataset import items, refusing_damage, text
from .discover import Volume, discover
from .pixels import scale_remarks, values_of
from .planes import Plane
from .stack import Stack, stacked


@dataclass(frozen=True, eq=False)
class Series:
    """A volume's planes in order.

    Attributes:
        name: for sentences.
        stack: its planes on their grid.
        found: the volume it was made of.
    """

    name: str
    stack: Stack
    found: Volume

    @property
    def lattice(self) -> Lattice:
        """Columns, rows, slices; the third axis ascends along the slices' normal."""
        return self.stack.lattice

    @property
    def header(self) -> Dataset:
        """Of the lowest slice, without pixels."""
        return self.slices[min(self.slices)].header

    @property
    def slices(self) -> dict[int, Plane]:
        """Position on the third axis to slice; a missing slice has none."""
        return self.stack.planes

    @property
    def frame_of_reference(self) -> str:
        """Its Frame of Reference UID, empty where the series has none."""
        return text(self.header, "FrameOfReferenceUID")

    def check_frame(self, header: Dataset, path: Path) -> None:
        """Refuse an object that lies elsewhere.

        Raises:
            DsirError: its frame of reference is another one, and it does not name this very series.
        """
        frame, own = text(header, "FrameOfReferenceUID"), self.frame_of_reference
        named = {text(item, "SeriesInstanceUID") for item in items(header, "ReferencedSeriesSequence")}
        if frame and own and frame != own and self.found.uid not in named:
            raise DsirError(f"{path} lies in another frame of reference than {self.name[:1].lower()}{self.name[1:]}.")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known of how it was read, one sentence each."""
        said = scale_remarks(self.stack, self.name) if self.found.modality == "CT" else ()
        return (*self.found.remarks, *self.stack.remarks, *said)

    @property
    def missing(self) -> tuple[int, ...]:
        """Positions without a slice."""
        return tuple(k for k in range(self.lattice.shape[2]) if k not in self.slices)

    @property
    def gaps(self) -> str:
        """A clause where slices are missing; empty where none is."""
        if not self.missing:
            return ""
        return (
            f"The {self.found.modality} series lacks {len(self.missing)} of its {self.lattice.shape[2]} slices (the "
            f"first is slice {self.missing[0] + 1})"
        )

    def volume(self) -> Image:
        """The voxels, each slice rescaled by its own slope (HU for CT); missing slices are interpolated.

        Raises:
            DsirError: a slice is damaged, in colour, or compressed in a way that cannot be read.
        """
        with refusing_damage(self.slices[min(self.slices)].path):
            return Image(torch.from_numpy(values_of(self.stack, self.name)), self.lattice, self.remarks)


def read_series(path: str | Path, *, wanted: Iterable[str] = ()) -> Series:
    """Read the headers of one volume.

    Args:
        path: a folder that holds it anywhere below, beside whatever else, or the file of an enhanced object.
        wanted: series UIDs to choose by, where the folder holds several and the user picked none of them
            (:mod:`dsir.dicom.picks`).

    Raises:
        DsirError: no scan, several of which none is chosen, or planes that make no regular volume; the sentence says
            which and why.
    """
    path = Path(path)
    if not path.exists():
        raise DsirError(f"{path} does not exist.")
    with refusing_damage(path):
        volume = chosen(discover(path), path, wanted=wanted)
        name = f"The {volume.modality} series in {path}"
        return Series(name, stacked(volume.planes, name), volume)
