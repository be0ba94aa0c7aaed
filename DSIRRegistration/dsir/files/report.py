"""report.json: enough to repeat a run and to judge it, and nothing that names a patient."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from .atomic import write_text

PACKAGES = ("torch", "numpy", "scipy", "nibabel", "SimpleITK")
FORMAT = 1
"""Rises when a reader of older reports would misunderstand a newer one."""


def run_report(
    command: str,
    *,
    inputs: Mapping[str, str | Path | None],
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
    command_line: str = "",
) -> dict[str, Any]:
    """Gather what a run depended on and what it found.

    Args:
        command: the word after ``dsir``.
        inputs: role ("fixed", "moving_mask", ...) to file or folder; roles without a file are left out.
        settings: JSON-ready, as :meth:`RegistrationSettings.to_json` gives them.
        facts: JSON-ready findings: seconds by stage, similarity, folds, warnings, ...
        command_line: what the user typed, where that is known.

    Returns:
        JSON-ready; of the inputs it holds names without folders, sizes and hashes, and nothing from their headers.
    """
    return {
        "format": FORMAT,
        "command": command,
        "versions": versions(),
        "inputs": {role: fingerprint(path) for role, path in inputs.items() if path is not None},
        "settings": dict(settings),
        **facts,
        **({"command_line": command_line} if command_line else {}),
    }


def versions() -> dict[str, str]:
    """Of dsir, Python, and the packages a result depends on."""
    found = {
        "dsir": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Name (without folders), bytes and SHA-256 of a file; of a DICOM folder, of its files in the order of names."""
    path = Path(path)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    found: dict[str, Any] = {"name": path.resolve().name, "bytes": sum(p.stat().st_size for p in files)}
    if path.is_dir():
        found["files"] = len(files)
    return {**found, "sha256": digest.hexdigest()}


def read_report(path: Path) -> dict[str, Any]:
    """What :func:`write_report` wrote; empty where there is none to be read."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write as indented JSON, whole or not at all; numbers that JSON cannot hold become null."""
    text = json.dumps(plain(report), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def plain(value: Any) -> Any:
    """A value as JSON will hold it."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic | np.ndarray | torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, float):
        # Six digits say all that is known; a result's own rounding stays far above that.
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
