"""Slicer's DICOM database as far as a module asks it: real files, read by pydicom, with ctkDICOMDatabase's answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset


class DicomDatabase:
    """Holds every DICOM file below some folders.

    Attributes:
        isOpen: as the application's; answers are empty while it is not.
        asked: the tags that were asked for.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.isOpen = True
        self.asked: list[str] = []
        self._files: dict[str, Path] = {}
        self._headers: dict[str, Dataset] = {}
        for file in (file for folder in folders for file in sorted(Path(folder).rglob("*")) if file.is_file()):
            header = pydicom.dcmread(file, stop_before_pixels=True)
            self._files[str(header.SOPInstanceUID)] = file
            self._headers[str(header.SOPInstanceUID)] = header

    def instancesForSeries(self, series: str) -> list[str]:
        return [uid for uid, header in self._headers.items() if header.get("SeriesInstanceUID") == series]

    def fileForInstance(self, instance: str) -> str:
        return str(self._files.get(instance, ""))

    def instanceValue(self, instance: str, tag: str) -> str:
        if not isinstance(tag, str) or len(tag) != 9 or tag[4] != ",":
            raise TypeError(f"a tag is written as 0010,0020, not {tag!r}")
        self.asked.append(tag)
        header = self._headers.get(instance)
        element = header.get(tuple(int(part, 16) for part in tag.split(","))) if header and self.isOpen else None
        return "" if element is None or element.value is None else str(element.value)
