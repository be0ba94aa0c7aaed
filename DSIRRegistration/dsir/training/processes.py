"""How many processes learn together, and through what they speak: one by default, more under ``torchrun``."""

from __future__ import annotations

import os
import time
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from ..features.dsir import has_bfloat16


def fabric(accelerator: str, precision: Any) -> Fabric:
    """Lightning Fabric on this process's device; gradients are averaged over all that ``torchrun`` started.

    ``torchrun`` tells each process of the others by its environment. On CPUs they speak through gloo, on CUDA through
    NCCL; one process gets no process group at all.
    """
    if precision == "auto":
        precision = "bf16-mixed" if has_bfloat16(device(accelerator)) else "32-true"
    everybody = int(os.environ.get("WORLD_SIZE", "1"))
    if everybody == 1:
        return Fabric(accelerator=accelerator, devices=1, precision=precision)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", str(everybody)))
    # The networks' buffers are constants, and one is read twice before each backward: they are not to be sent about.
    together = DDPStrategy(broadcast_buffers=False)
    made = Fabric(
        accelerator=accelerator, devices=here, num_nodes=everybody // here, strategy=together, precision=precision
    )
    made.launch()
    return made


def device(accelerator: str) -> torch.device:
    """What this process computes on: the same choice as Lightning's, known before there is a Fabric."""
    if accelerator in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def part() -> None:
    """Leave the others in order, after the last exchange; nothing where this process is alone.

    gloo's threads need Python's lock to let go of the tensors they exchanged. One that still waits for it while Python
    shuts down aborts the process, though all is written (measured: 8 of 30 runs); and ``destroy_process_group`` keeps
    the lock while it waits for those threads, for ever (2 of 10). So they get the lock, and time to use it, first.
    """
    if torch.distributed.is_initialized():
        time.sleep(0.3)
        torch.distributed.destroy_process_group()


def leads() -> bool:
    """Whether this process prints and writes (rank 0)."""
    return int(os.environ.get("RANK", "0")) == 0
