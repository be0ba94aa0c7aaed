"""``dsir inspect``: what a file or folder holds, before anything is done with it."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DsirError
from ..progress import Progress
from .command import Command, Outcome
from .register import verdict_lines

if TYPE_CHECKING:
    from ..dicom.discover import Contents


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder of DICOM, or a file of any kind that is read")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    progress("reading", 0.1, "looking at what is there")
    path = arguments.path
    if not path.exists():
        raise DsirError(f"{path} does not exist.")
    found = {"path": str(path), **(_folder(path) if path.is_dir() else _file(path))}
    lines = [json.dumps(found, indent=2)] if arguments.json else _lines(found)
    return Outcome(None, tuple(lines), found, answer=True)


def _file(path: Path) -> dict[str, Any]:
    from ..dicom.dataset import says_dicom
    from ..dicom.discover import discover
    from ..files.dicom_registration import registers
    from ..files.images import NIFTI, read_image, suffix

    if suffix(path) in (".h5", ".tfm", ".txt", ".mat"):
        return {"transform": _transform(path)}
    contents = None if suffix(path) in NIFTI else discover(path)
    if contents and says_dicom(path) and any(file == path and registers(header) for header, file in contents.others):
        return {"transform": _transform(path)}
    if contents and (contents.volumes or contents.others):
        return _contents(contents)
    try:
        image = read_image(path)
    except DsirError:
        with suppress(DsirError):
            return {"transform": _transform(path)}
        raise
    return {"image": {**_grid(image.lattice), "warnings": list(image.remarks)}}


def _transform(path: Path) -> list[dict[str, Any]]:
    from ..files.transforms import read_transform
    from ..transforms.linear import Linear

    return [
        {"part": "linear", "matrix": part.matrix.round(6).tolist()}
        if isinstance(part, Linear)
        else {"part": "displacement field", **_grid(part.lattice)}
        for part in read_transform(path).parts
    ]


def _grid(lattice: Any) -> dict[str, Any]:
    return {
        "voxels": list(lattice.shape),
        "spacing_mm": [round(float(s), 4) for s in lattice.spacing],
        "origin_ras_mm": [round(float(v), 3) for v in lattice.origin],
    }


def _folder(path: Path) -> dict[str, Any]:
    from ..dicom.discover import discover

    if result := _result(path):
        return {"result": result}
    contents = discover(path)
    if not contents.volumes and not contents.others:
        what = "is empty" if not contents.files else "holds no DICOM object"
        raise DsirError(f"{path} {what}.")
    return _contents(contents)


def _contents(contents: Contents) -> dict[str, Any]:
    from ..dicom.dataset import text

    numbered = list(enumerate(contents.volumes, start=1))
    frames = sorted({text(v.header, "FrameOfReferenceUID") for _, v in numbered} - {""})
    return {
        "series": [_volume(number, volume, frames) for number, volume in numbered],
        "others": [
            {"kind": text(header, "Modality") or "unknown", "file": file.name} for header, file in contents.others
        ],
        "files": contents.files,
    }


def _result(path: Path) -> dict[str, Any]:
    """What a command of ours left in a folder; empty where none did."""
    from ..files.report import read_report
    from ..files.tables import read_table
    from ..reports.registration.facts import facts_of, warnings_beside_verdict

    report = read_report(path / "report.json") or read_report(path / "plan.json")
    cases: dict[str, str] = {}
    if not report and (path / "results.html").is_file() and (path / "results.csv").is_file():
        lines = read_table(path / "results.csv", "The table")[1]
        report = {"command": "batch"}
        cases = {line.cells["name"]: line.cells["state"] for line in lines if {"name", "state"} <= set(line.cells)}
    if not isinstance(report.get("command"), str):
        return {}
    inputs = {role: found.get("name") for role, found in (report.get("inputs") or {}).items()}
    return {
        "command": report["command"],
        "version": (report.get("versions") or {}).get("dsir", ""),
        "inputs": inputs,
        "verdict": report.get("verdict"),
        "figures": cases or {fact.name: fact.value for fact in facts_of(report)},
        "warnings": warnings_beside_verdict(report),
        "files": sorted(p.name + "/" * p.is_dir() for p in path.iterdir() if not p.name.startswith(".")),
    }


def _volume(number: int, volume: Any, frames: list[str]) -> dict[str, Any]:
    from ..dicom.dataset import text
    from ..dicom.stack import stacked
    from ..dicom.suv import suv_facts

    frame = text(volume.header, "FrameOfReferenceUID")
    found: dict[str, Any] = {
        "number": number,
        "modality": volume.modality,
        "description": volume.description,
        "slices": len(volume.planes),
        "frame_of_reference": f"F{frames.index(frame) + 1}" if frame else "none",
        "uid": volume.uid,
        "kind": "localiser" if volume.localiser else "volume" if volume.scan else "no volume",
        "warnings": list(volume.remarks),
        **suv_facts(volume.header),
    }
    try:
        stack = stacked(volume.planes, "it")
        return {**found, **_grid(stack.lattice), "warnings": [*found["warnings"], *stack.remarks]}
    except DsirError as error:
        return {**found, "kind": "no volume", "warnings": [*found["warnings"], str(error)]}


def _lines(found: dict[str, Any]) -> list[str]:
    if "result" in found:
        result = found["result"]
        return [
            f"Result of dsir {result['command']}" + f" (dsir {result['version']})" * bool(result["version"]),
            *(f"{role.replace('_', ' ')}: {name}" for role, name in result["inputs"].items()),
            *verdict_lines(result),
            *(f"{name}: {value}" for name, value in result["figures"].items()),
            *(f"Warning: {sentence}" for sentence in result["warnings"]),
            f"Files: {', '.join(result['files'])}",
        ]
    if "image" in found:
        return [_where(found["image"]), *(f"Warning: {w}" for w in found["image"]["warnings"])]
    if "transform" in found:
        return [line for part in found["transform"] for line in _part(part)] or ["linear: the identity, nothing moves"]
    lines = []
    for series in found["series"]:
        where = _where(series) if "voxels" in series else "no grid"
        lines.append(
            f"{series['number']:>3}  {series['modality']:<3} {series['description']}: {series['slices']} "
            f"slice{'s' * (series['slices'] != 1)}, "
            f"{where}, frame of reference {series['frame_of_reference']}, {series['kind']}"
        )
        if "suv_factor" in series:
            lines.append(f"     SUV (body weight) = value x {series['suv_factor']:.6g}")
        if "no_suv" in series:
            lines.append(f"     No SUV: {series['no_suv']}")
        lines += [f"     Warning: {sentence}" for sentence in series["warnings"]]
    lines += [f"  -  {other['kind']}: {other['file']}" for other in found["others"]]
    return lines


def _part(part: dict[str, Any]) -> list[str]:
    """A part of a transform: a matrix row by row, or where its field lies."""
    if "matrix" not in part:
        return [f"{part['part']}: {_where(part)}"]
    rows = [" ".join(f"{value:>12.6f}" for value in row) for row in part["matrix"]]
    return [f"{part['part']}, fixed to moving, RAS mm:", *(f"  {row}" for row in rows)]


def _where(grid: dict[str, Any]) -> str:
    size, spacing = (" x ".join(f"{v:g}" for v in grid[key]) for key in ("voxels", "spacing_mm"))
    return f"{size} voxels of {spacing} mm"


COMMAND = Command(
    name="inspect",
    summary="show what a folder of DICOM or a file holds",
    description="""\
Show the series in a folder of DICOM (modality, description, slices, voxel grid, frame of reference), the other objects
in it, and what is wrong with each; or the grid of an image file; or the parts of a transform; or what a command of dsir
left in a folder: its inputs, verdict, figures and files. Names of patients are not
shown. The number in front is what --series takes.""",
    usage="PATH",
    example="dsir inspect study/ --json",
    arguments=_arguments,
    run=_run,
)
