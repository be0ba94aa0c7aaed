"""A training run, whatever is learned: examples in, averaged weights out; stops and goes on at any step.

Under ``torchrun`` several processes share each step's examples: with a batch of B, example ``step * B + k`` goes to
process ``k mod P``, and the gradient is the mean over all B, so that P processes do what one would.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import torch
from lightning_fabric import Fabric
from torch import nn

from ..errors import DsirError
from ..progress import Progress
from .ahead import drawn
from .checkpoint import Progressed, load_checkpoint, save_checkpoint
from .log import TrainingLog
from .processes import fabric, leads, part

Example = TypeVar("Example")


@dataclass(frozen=True)
class RunSettings:
    """A run of training.

    Attributes:
        steps: optimiser steps in all; the learning rate falls to zero over them.
        hours: stop after this time instead; the learning rate follows the clock, so such a run is not repeatable.
        batch: examples of each step, over all processes; 0: one for each process.
        learning_rate: of Adam at its peak.
        warmup: steps over which the learning rate rises.
        average: decay of the exponential average of the weights, which is what is written.
        seed: of weights and examples.
        precision: ``"bf16-mixed"`` or ``"32-true"`` (Lightning Fabric); ``"auto"``: bf16 where the device has units for
            it (a processor without them takes many times as long in bf16 as in float32, measured).
        accelerator: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.
        checkpoint_minutes: between checkpoints.
        report: steps between lines of the log and reports of progress.
        workers: processes that draw examples ahead (the same examples, whoever draws them); null: one for each core
            but one beside a GPU, which would wait for them, and none where the network needs the cores itself.
    """

    steps: int = 2500
    hours: float | None = None
    batch: int = 0
    learning_rate: float = 1e-3
    warmup: int = 150
    average: float = 0.998
    seed: int = 0
    precision: str = "auto"
    accelerator: str = "auto"
    checkpoint_minutes: float = 3.0
    report: int = 20
    workers: int | None = None


class Task(Protocol[Example]):
    """What a run learns.

    Attributes:
        facts: names of what :meth:`loss` measures besides the loss, for the log.
    """

    facts: tuple[str, ...]

    def draw(self, number: int) -> Example:
        """Example ``number``, of tensors on the CPU; it depends on seed and number alone."""

    def loss(self, model: nn.Module, example: Example) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of an example on the model's device, and the facts."""

    def write(self, path: Path, network: nn.Module, provenance: dict[str, object]) -> None:
        """The network's weights as a file."""


def begin(out: Path, settings: RunSettings, *, resume: bool) -> None:
    """Make the run's folder and put its settings there.

    Raises:
        DsirError: there is a run already and it is not to be resumed.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / "checkpoint.safetensors").exists() and not resume:
        raise DsirError(f"{out} already holds a run; resume it, or choose another folder.")
    if leads():
        (out / "settings.json").write_text(json.dumps(asdict(settings), indent=2))


def learn(
    task: Task[Example], settings: RunSettings, network: nn.Module, out: Path, progress: Progress, *, resume: bool
) -> Path:
    """Run, from the folder's checkpoint on with ``resume``; the path of the averaged weights."""
    run = Run(settings, network, out)
    if resume:
        run.resume()
    return run.go(task, progress)


class Run:
    """Model, average, optimiser and clock of one run; :func:`begin` made its folder."""

    def __init__(self, settings: RunSettings, network: nn.Module, out: Path) -> None:
        self.settings, self.out = settings, out
        self.fabric: Fabric = fabric(settings.accelerator, settings.precision)
        self.batch = settings.batch or self.fabric.world_size
        if self.batch % self.fabric.world_size:
            raise DsirError(
                f"{self.batch} examples a step cannot be shared by {self.fabric.world_size} processes evenly; "
                "choose a multiple."
            )
        self.average = copy.deepcopy(network).to(self.fabric.device)
        optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=1e-4)
        self.model, self.optimiser = self.fabric.setup(network, optimiser)
        self.step, self.spent = 0, 0.0

    def resume(self) -> None:
        at = load_checkpoint(self.out, self.model.module, self.average, self.optimiser.optimizer)
        self.step, self.spent = at.step, at.seconds

    @property
    def done(self) -> float:
        """Share of the run that lies behind, 0 to 1."""
        if self.settings.hours:
            return min(self.spent / (3600 * self.settings.hours), 1.0)
        return min(self.step / max(self.settings.steps, 1), 1.0)

    def go(self, task: Task[Example], progress: Progress) -> Path:
        """Learn until done; the path of the averaged weights."""
        log = TrainingLog(self.out, task.facts) if leads() else None
        saved = last = reported = time.monotonic()
        gathered: dict[str, list[float]] = defaultdict(list)
        examples = drawn(task.draw, self._numbers(), self._workers())
        try:
            while self.done < 1:
                for name, value in self._learn(task, examples).items():
                    gathered[name].append(value)
                self.step += 1
                now = time.monotonic()
                self.spent, last = self._agreed(self.spent + now - last), now
                if self.step % self.settings.report == 0:
                    mean = self._mean(gathered)
                    speed = self.settings.report / max(now - reported, 1e-9)
                    gathered.clear()
                    reported = now
                    if log:
                        rate = self._rate()
                        log.write(
                            step=self.step, seconds=self.spent, learning_rate=rate, steps_per_second=speed, **mean
                        )
                        progress("training", self.done, self._message(mean))
                if now - saved > 60 * self.settings.checkpoint_minutes:
                    self.save(task)
                    saved = time.monotonic()
        finally:
            if log:
                log.close()
            self.save(task)
        part()
        return self.out / "weights.safetensors"

    def _numbers(self) -> Iterator[int]:
        """Of this process's examples, from this step on."""
        return (step * self.batch + k for step in count(self.step) for k in self._mine)

    @property
    def _mine(self) -> range:
        """Which of a step's examples are this process's."""
        return range(self.fabric.global_rank, self.batch, self.fabric.world_size)

    def _workers(self) -> int:
        if self.settings.workers is not None:
            return self.settings.workers
        cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return 0 if self.fabric.device.type == "cpu" else max(cores - 1, 1)

    def _learn(self, task: Task[Example], examples: Iterator[Example]) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.model.train()
        self.optimiser.zero_grad(set_to_none=True)
        mine = self._mine
        found: dict[str, float] = defaultdict(float)
        for k in mine:
            with self.fabric.no_backward_sync(self.model, enabled=k != mine[-1]):
                loss, facts = task.loss(self.model, next(examples))
                self.fabric.backward(loss / len(mine))
            for name, value in {"loss": float(loss.detach()), **facts}.items():
                found[name] += value / len(mine)
        self.fabric.clip_gradients(self.model, self.optimiser, max_norm=1.0)
        self.optimiser.step()
        self._follow()
        return found

    def _follow(self) -> None:
        """Move the average towards the model; faster at first, so that it does not remember the random start."""
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.model.module.parameters(), strict=True)
            for slow, quick in pairs:
                slow.lerp_(quick.detach(), 1 - decay)

    def _rate(self) -> float:
        rise = min(1.0, (self.step + 1) / max(self.settings.warmup, 1))
        return self.settings.learning_rate * rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.done)))

    def _agreed(self, seconds: float) -> float:
        """The first process's clock, where the end of the run hangs on it: else one would wait for the others."""
        if self.fabric.world_size == 1 or not self.settings.hours:
            return seconds
        return self.fabric.broadcast(seconds)

    def _mean(self, gathered: dict[str, list[float]]) -> dict[str, float]:
        """Of each quantity over the steps and the processes."""
        own = torch.tensor([sum(values) / len(values) for values in gathered.values()], dtype=torch.float64)
        if self.fabric.world_size > 1:
            own = cast(torch.Tensor, self.fabric.all_reduce(own.to(self.fabric.device)))
        return dict(zip(gathered, own.tolist(), strict=True))

    def _message(self, mean: dict[str, float]) -> str:
        left = self.spent / max(self.done, 1e-6) - self.spent
        said = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in mean.items())
        return f"step {self.step}, {said}, {left / 60:.0f} min left"

    def save(self, task: Task[Any]) -> None:
        """Checkpoint and averaged weights, written by one process."""
        if not leads():
            return
        at = Progressed(self.step, self.spent)
        save_checkpoint(self.out, self.model.module, self.average, self.optimiser.optimizer, at)
        facts: dict[str, object] = {
            "steps": self.step,
            "seed": self.settings.seed,
            "hours": round(self.spent / 3600, 2),
        }
        task.write(self.out / "weights.safetensors", self.average, facts)
