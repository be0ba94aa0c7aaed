"""Many pairs from Slicer's Python console: nodes are handed over as files, the rest is ``dsir batch``."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dsir.errors import DsirError
from dsir.progress import Progress

from . import worker
from .engine_process import Launcher
from .nodes.segments import segment_mask
from .nodes.transforms import write_transform
from .nodes.volumes import lattice_of, write_array, write_volume
from .persons import check_one_person

COLUMNS = {
    "fixed": "fixed",
    "moving": "moving",
    "fixedMask": "fixed_mask",
    "movingMask": "moving_mask",
    "initialTransform": "initial",
    "refine": "refine",
    "landmarks": "landmarks",
    "movingLabels": "moving_labels",
    "fixedLabels": "fixed_labels",
}
"""What a pair is called here, and in the list of ``dsir batch``."""

TWO = "differentPatients"
"""Said of a pair whose nodes may be of two persons."""


def batch(
    pairs: str | Path | Mapping[str, Mapping[str, Any]],
    out: str | Path,
    options: list[str],
    settings: Mapping[str, Any],
    launch: Launcher,
    progress: Progress,
) -> Generator[None, None, list[dict[str, Any]]]:
    """Do all of them in small steps.

    Raises:
        DsirError: a pair holds what nobody understands, or the whole batch cannot run.
    """
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        listed = Path(pairs).resolve() if isinstance(pairs, str | Path) else folder / "pairs.csv"
        called: dict[str, str] = {}
        if not isinstance(pairs, str | Path):
            yield from _write_list(listed, pairs, folder, called)
        if settings:
            (folder / "settings.json").write_text(json.dumps(dict(settings)), encoding="utf-8")
            options = [*options, "--settings", str(folder / "settings.json")]
        words = yield from worker.run(
            ["batch", str(listed), "--out", str(Path(out).resolve()), "--exit-zero", *options],
            folder,
            launch=launch,
            progress=progress,
            inputs=called,
        )
    for row in words["pairs"]:
        for path, node in called.items():
            row["error"] = row["error"].replace(path, node)
    return words["pairs"]


def _write_list(
    listed: Path, pairs: Mapping[str, Mapping[str, Any]], folder: Path, called: dict[str, str]
) -> Generator[None, None, None]:
    """The list, and each node as a file; ``called`` learns which node each file was."""
    written: dict[str, Path] = {}
    with listed.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["name", *COLUMNS.values()])
        table.writeheader()
        for name, pair in pairs.items():
            unknown = set(pair) - set(COLUMNS) - {TWO}
            if unknown or not {"fixed", "moving"} <= set(pair):
                wrong = f"nothing reads {sorted(unknown)[0]!r}" if unknown else "it needs a fixed and a moving scan"
                raise DsirError(f"The pair {name!r}: {wrong}; known are {', '.join((*COLUMNS, TWO))}.")
            _check_persons(name, pair)
            row = {"name": name}
            for role, value in pair.items():
                if value is not None and role != TWO:
                    row[COLUMNS[role]] = str(_file(value, pair["fixed"], pair[_side(role)], folder, written, called))
                    yield
            table.writerow(row)


def _check_persons(name: str, pair: Mapping[str, Any]) -> None:
    """Refuse a pair of two persons before any is begun, unless it says so."""
    nodes = [value for value in pair.values() if value is not None and hasattr(value, "GetID")]
    try:
        check_one_person(nodes, different_patients=bool(pair.get(TWO)))
    except DsirError as error:
        raise DsirError(f"The pair {name!r}: {error}") from None


def _side(role: str) -> str:
    """Which scan a mask was drawn on."""
    return "moving" if role.startswith("moving") else "fixed"


def _file(value: Any, fixed: Any, scan: Any, folder: Path, written: dict[str, Path], called: dict[str, str]) -> Path:
    """A node as a file, each only once; a path as it is."""
    if isinstance(value, str | Path):
        return Path(value).resolve()
    nodes = value if isinstance(value, tuple) else (value,)
    key = " ".join(part if isinstance(part, str) else part.GetID() for part in (*nodes, *_needed(nodes, fixed, scan)))
    if key not in written:
        path = folder / f"{re.sub(r'[^A-Za-z0-9-]+', '_', nodes[0].GetName())}_{len(written)}"
        written[key] = path = _write(path, nodes, fixed, scan)
        called[str(path)] = nodes[0].GetName()
    return written[key]


def _needed(nodes: tuple[Any, ...], fixed: Any, scan: Any) -> tuple[Any, ...]:
    """What else decides how a node is written."""
    if nodes[0].IsA("vtkMRMLSegmentationNode"):
        return (scan,)
    return (fixed,) if nodes[0].IsA("vtkMRMLTransformNode") and not isinstance(fixed, str | Path) else ()


def _write(path: Path, nodes: tuple[Any, ...], fixed: Any, scan: Any) -> Path:
    node = nodes[0]
    if node.IsA("vtkMRMLTransformNode"):
        path = path.with_suffix(".h5")
        write_transform(path, node, None if isinstance(fixed, str | Path) else lattice_of(fixed))
    elif node.IsA("vtkMRMLSegmentationNode"):
        if len(nodes) != 2 or isinstance(scan, str | Path):
            raise DsirError(
                f"{node.GetName()}: a mask is (segmentation, segment's ID), beside a scan that is a node too."
            )
        values, lattice = segment_mask(node, nodes[1], scan)
        path = path.with_suffix(".nii")
        write_array(path, values.astype(np.uint8), lattice)
    elif node.IsA("vtkMRMLScalarVolumeNode"):
        path = path.with_suffix(".nii")
        write_volume(path, node)
    elif node.IsA("vtkMRMLMarkupsNode") and len(nodes) == 2:
        from dsir.files.landmarks import write_landmarks

        from .pairs import landmarks

        path = path.with_suffix(".csv")
        write_landmarks(path, landmarks(*nodes))
    else:
        raise DsirError(f"{node.GetName()} is of a kind that a batch cannot read ({node.GetClassName()}).")
    return path
