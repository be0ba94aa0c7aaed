"""Trained weights on disk: a safetensors file that knows its network, and a manifest that knows its hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import DsirError
from .dns import DnsSettings
from .masrnet import MasrNetSettings

MODELS = Path(__file__).resolve().parents[1] / "models"
"""Where the shipped weights and ``models.json`` lie."""


Settings = TypeVar("Settings")


@dataclass(frozen=True, eq=False)
class Weights(Generic[Settings]):
    """A network's tensors, its shape, and where it came from (steps, seed, hours, spacing in mm)."""

    tensors: dict[str, torch.Tensor]
    settings: Settings
    provenance: dict[str, object]
    sha256: str


def write_weights(path: Path, network: nn.Module, settings: MasrNetSettings, provenance: dict[str, object]) -> None:
    """Write a network's state as 16-bit floats (measured: figures do not change) with settings in the header."""
    write_tensors(path, network, torch.float16, {"network": asdict(settings), "provenance": provenance})


def write_tensors(path: Path, network: nn.Module, dtype: torch.dtype, header: dict[str, object]) -> None:
    """Write a network's state and the JSON entries of its header; replaced only when complete."""
    tensors = {k: v.detach().cpu().to(dtype).contiguous() for k, v in network.state_dict().items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={name: json.dumps(value) for name, value in header.items()})
    os.replace(partial, path)


def read_weights(path: Path, sha256: str | None = None) -> Weights[MasrNetSettings]:
    """Read weights; if ``sha256`` is given, only those very bytes.

    Raises:
        DsirError: the file is missing, altered or no weights of this project.
    """
    tensors, digest, (shape, provenance) = read_tensors(
        path, kind="a MASR-Net", wanted=("network", "provenance"), sha256=sha256
    )
    if "base" not in shape:
        raise DsirError(f"{path.name} holds a network of an earlier version, which works otherwise; train it anew.")
    try:
        settings = settings_from(shape)
    except (KeyError, TypeError) as error:
        raise DsirError(f"{path.name} holds no weights of a MASR-Net: {error}") from error
    return Weights(tensors, settings, provenance, digest)


def read_tensors(
    path: Path, *, kind: str, wanted: tuple[str, ...], sha256: str | None = None
) -> tuple[dict[str, torch.Tensor], str, list[dict]]:
    """The tensors (float32), the file's SHA-256 and the JSON entries ``wanted`` of its header.

    Raises:
        DsirError: the file is missing, altered or does not hold ``kind``.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DsirError(f"The network weights {path} cannot be read: {error.strerror}.") from error
    if sha256 is not None and digest != sha256:
        raise DsirError(
            f"The network weights {path.name} are not the ones this version ships with (SHA-256 {digest[:12]}..., "
            f"expected {sha256[:12]}...); install the extension again."
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 - no iterator
        return tensors, digest, [json.loads(metadata[name]) for name in wanted]
    except (SafetensorError, KeyError, ValueError) as error:
        raise DsirError(f"{path.name} holds no weights of {kind}: {error}") from error


def settings_from(plain: dict) -> MasrNetSettings:
    """Settings as they were before JSON made lists of tuples."""
    fields = dict(plain)
    for key in fields.keys() & {"input_dns", "coarse_dns", "feature_dns"}:
        fields[key] = DnsSettings(**tuples_of(fields[key]))
    return MasrNetSettings(**tuples_of(fields))


def tuples_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they were before JSON made lists of tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}


def manifest(folder: Path = MODELS) -> dict[str, dict]:
    """The shipped models: name to {"file", "sha256", ...}; empty where none ship."""
    path = folder / "models.json"
    if not path.exists():
        return {}
    return json.loads(path.read_text())["models"]


def shipped(name: str) -> Weights[MasrNetSettings]:
    """The shipped weights of this name, hash checked."""
    entry = manifest()[name]
    return read_weights(MODELS / entry["file"], entry["sha256"])
