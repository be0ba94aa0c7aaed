"""Trained place heads on disk: a safetensors file that knows its shape and the find network it belongs to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ..errors import DsirError
from .dns import DnsSettings
from .place import PlaceSettings
from .weights import MODELS, Weights, manifest, read_tensors, tuples_of, write_tensors

PlaceWeights = Weights[PlaceSettings]
"""A head's; its provenance holds ``find``, the SHA-256 of its find network."""


def write_place(path: Path, head: nn.Module, settings: PlaceSettings, provenance: dict[str, object]) -> None:
    """Write a head's state with its settings in the header; replaced only when complete."""
    write_tensors(path, head, torch.float32, {"place": asdict(settings), "provenance": provenance})


def is_place(path: Path) -> bool:
    """Whether a file says of itself that it is a place head."""
    try:
        with safe_open(path, "pt") as file:
            return "place" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def read_place(path: Path, sha256: str | None = None) -> PlaceWeights:
    """Read a head; if ``sha256`` is given, only those very bytes.

    Raises:
        DsirError: the file is missing, altered or no place head of this project.
    """
    tensors, digest, (shape, provenance) = read_tensors(
        path, kind="a place head", wanted=("place", "provenance"), sha256=sha256
    )
    try:
        settings = PlaceSettings(relations=DnsSettings(**tuples_of(shape.pop("relations"))), **shape)
    except (KeyError, TypeError, AttributeError) as error:
        raise DsirError(f"{path.name} holds no weights of a place head: {error}") from error
    return PlaceWeights(tensors, settings, provenance, digest)


def shipped_place(find: str, folder: Path = MODELS) -> PlaceWeights | None:
    """The shipped head of the find network with the SHA-256 ``find``, hash checked; None where it has none.

    Raises:
        DsirError: the file is missing or altered.
    """
    for entry in manifest(folder).values():
        if entry["sha256"] == find and "place" in entry:
            return read_place(folder / entry["place"]["file"], entry["place"]["sha256"])
    return None
