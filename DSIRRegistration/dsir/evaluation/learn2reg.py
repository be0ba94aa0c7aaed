"""Data sets in the layout of the Learn2Reg challenge: ``NAME_dataset.json`` beside imagesTr, labelsTr, masksTr, ...

Written after the files that the challenge publishes for AbdomenMRCT, ThoraxCBCT, NLST and OASIS (learn2reg.grand-
challenge.org) and the evaluation script at github.com/MDL-UzL/L2R.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DsirError
from ..workflow.pair import Pair

VALIDATION = "registration_val"

SUBJECT = re.compile(r"_(\d{4})_(\d{4})\.nii(\.gz)?$")
"""Subject and modality at the end of an image's name."""

POINTS = ("landmarks", "keypoints")
"""What the TRE is measured on: points a person set, else those of a program."""


@dataclass(frozen=True)
class Task:
    """One pair of a data set.

    Attributes:
        name: as in a submission's ``disp_NAME.nii.gz``; the short form where the challenge allows it.
        full: the long form of the same.
        pair: images, and masks where there are some.
        fixed_labels, moving_labels, fixed_points, moving_points: None where the data set has none.
    """

    name: str
    full: str
    pair: Pair
    fixed_labels: Path | None = None
    moving_labels: Path | None = None
    fixed_points: Path | None = None
    moving_points: Path | None = None


@dataclass(frozen=True)
class DataSet:
    """What the description says.

    Attributes:
        labels: value to name, background left out.
    """

    name: str
    labels: dict[int, str]
    tasks: tuple[Task, ...]


def read_data_set(path: str | Path, *, pairs: str = VALIDATION, masks: bool = True) -> DataSet:
    """Read a description; its paths are relative to its folder.

    Args:
        pairs: which list of pairs: ``registration_val``, ``registration_test``, ``training_paired_images``, ...
        masks: whether the registration is told of the masks.

    Raises:
        DsirError: not such a description, no such list, or an image of a pair is missing.
    """
    path = Path(path)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        name, listed = str(said["name"]), said.get(pairs)
    except OSError as error:
        raise DsirError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DsirError(
            f"{path} is not the description of a Learn2Reg data set (JSON with a name and pairs)."
        ) from None
    if not isinstance(listed, list) or not listed:
        lists = [key for key, value in said.items() if isinstance(value, list) and value and _is_pair(value[0])]
        raise DsirError(f"{path} lists no pairs under {pairs!r}; it has {', '.join(lists) or 'no list of pairs'}.")
    if not all(_is_pair(entry) for entry in listed):
        raise DsirError(f"{path}: an entry of {pairs!r} is not a pair.")
    known = {entry["image"]: entry for entry in _described(said)}
    tasks = tuple(_task(path.parent, *_direction(entry, said), known, masks) for entry in listed)
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise DsirError(f"{path}: the pairs under {pairs!r} are not all different.")
    return DataSet(name, _labels(said), tasks)


def label_values(data_set: DataSet, *maps: np.ndarray) -> list[int]:
    """The labels that count: those that the description names, else all in the maps."""
    return sorted(data_set.labels) or sorted({int(v) for labels in maps for v in np.unique(labels)} - {0})


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, dict) and ({"fixed", "moving"} <= set(entry) or {"0", "1"} <= set(entry))


def _direction(entry: dict[str, str], said: dict[str, Any]) -> tuple[str, str]:
    """Fixed and moving; paired images are listed by modality."""
    if "fixed" in entry:
        return entry["fixed"], entry["moving"]
    way = said.get("registration_direction") or {}
    return entry[str(way.get("fixed", 0))], entry[str(way.get("moving", 1))]


def _described(said: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Each image with what belongs to it; some data sets list them by modality."""
    for key in ("training", "test"):
        lists = said.get(key) or []
        for entries in lists.values() if isinstance(lists, dict) else [lists]:
            yield from (entry for entry in entries if isinstance(entry, dict) and "image" in entry)


def _labels(said: dict[str, Any]) -> dict[int, str]:
    labels = said.get("labels") or {}
    nested = [value for value in labels.values() if isinstance(value, dict)]
    named = {key: value for part in nested for key, value in part.items()} if nested else labels
    return {int(key): str(name) for key, name in named.items() if str(key).isdigit() and int(key)}


def _task(folder: Path, fixed: str, moving: str, known: dict[str, dict[str, str]], masks: bool) -> Task:
    for image in (fixed, moving):
        if not (folder / image).is_file():
            raise DsirError(f"{folder / image} does not exist; Docs/learn2reg.md says how to get each data set.")

    def beside(image: str, *kinds: str) -> Path | None:
        """What belongs to an image: as the description says, else in the folder of the same name."""
        said = known.get(image, {})
        for kind in kinds:
            for named in filter(None, (said.get(kind), said.get(kind.rstrip("s")), image.replace("images", kind))):
                file = folder / named
                if kind in POINTS:  # some descriptions list them with the images' suffix
                    file = file.with_name(re.sub(r"\.nii(\.gz)?$", ".csv", file.name))
                if file.is_file():
                    return file
        return None

    pair = Pair(
        folder / fixed,
        folder / moving,
        fixed_mask=beside(fixed, "masks") if masks else None,
        moving_mask=beside(moving, "masks") if masks else None,
    )
    short, full = _names(fixed, moving)
    labels = beside(fixed, "labels"), beside(moving, "labels")
    points = beside(fixed, *POINTS), beside(moving, *POINTS)
    labels, points = (both if all(both) else (None, None) for both in (labels, points))
    return Task(short, full, pair, *labels, *points)


def _names(fixed: str, moving: str) -> tuple[str, str]:
    """As the script builds them: short where both are of one modality, or of 0 and 1."""
    a, b = SUBJECT.search(fixed), SUBJECT.search(moving)
    if not a or not b:
        stems = (re.sub(r"\.nii(\.gz)?$", "", Path(image).name) for image in (fixed, moving))
        both = "_".join(stems)
        return both, both
    full = f"{a[1]}_{a[2]}_{b[1]}_{b[2]}"
    return (f"{a[1]}_{b[1]}" if a[2] == b[2] or (a[2], b[2]) == ("0000", "0001") else full), full
