"""Where training stands, on disk: safetensors for numbers, JSON for the rest, never a pickle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import DsirError


@dataclass(frozen=True)
class Progressed:
    """How far a run is: optimiser steps taken and seconds spent, over all its sessions."""

    step: int
    seconds: float


def save_checkpoint(
    folder: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, at: Progressed
) -> None:
    """Write ``checkpoint.safetensors``; replaced only when complete."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{k}": torch.as_tensor(v) for k, v in state.items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"progressed": json.dumps(at.__dict__)})
    os.replace(partial, folder / "checkpoint.safetensors")


def load_checkpoint(folder: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> Progressed:
    """Fill model, average and optimiser as they were.

    Raises:
        DsirError: there is no checkpoint, or it belongs to another network.
    """
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        raise DsirError(f"There is no checkpoint in {folder} to resume from.")
    try:
        tensors, progressed = load_file(path), Progressed(**json.loads(_metadata(path)["progressed"]))
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise DsirError(f"The checkpoint in {folder} is damaged: {error}") from error
    try:
        model.load_state_dict(_under("model.", tensors))
        average.load_state_dict(_under("average.", tensors))
    except RuntimeError as error:
        raise DsirError(f"The checkpoint in {folder} is of another network: {error}") from error
    try:
        _fill(optimiser, tensors)
    except (ValueError, KeyError, RuntimeError) as error:
        raise DsirError(f"The checkpoint in {folder} is damaged: {error}") from error
    return progressed


def _fill(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    whole = optimiser.state_dict()
    states: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _under("optimiser.", tensors).items():
        number, name = key.split(".", 1)
        states.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": states, "param_groups": whole["param_groups"]})


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
