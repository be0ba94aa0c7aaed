"""The training run: examples in, averaged weights out; stops and goes on at any step."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from lightning_fabric import Fabric

from ..errors import DsirError
from ..features.masrnet import MasrNet, MasrNetSettings
from ..features.weights import read_weights, write_weights
from ..progress import Progress, silent
from .batches import Example, Examples, ExampleSettings
from .checkpoint import Progressed, load_checkpoint, save_checkpoint
from .contrast import LossSettings, contrast
from .log import TrainingLog
from .volumes import load_sources


@dataclass(frozen=True)
class TrainingSettings:
    """A run of training.

    Attributes:
        steps: optimiser steps in all; the learning rate falls to zero over them.
        hours: stop after this time instead; the learning rate follows the clock, so such a run is not repeatable.
        learning_rate: of Adam at its peak [R: 1e-4; measured: ten times that and more, with warm-up, learns faster].
        warmup: steps over which the learning rate rises.
        average: decay of the exponential average of the weights, which is what is shipped.
        source_spacing: mm of the lattice the sources are kept on.
        seed: of weights and examples.
        precision: ``"bf16-mixed"`` or ``"32-true"`` (Lightning Fabric).
        accelerator: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.
        checkpoint_minutes: between checkpoints.
        report: steps between lines of the log and reports of progress.
    """

    network: MasrNetSettings = field(default_factory=MasrNetSettings)
    examples: ExampleSettings = field(default_factory=ExampleSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    steps: int = 2500
    hours: float | None = None
    learning_rate: float = 1e-3
    warmup: int = 150
    average: float = 0.998
    source_spacing: float = 1.5
    seed: int = 0
    precision: str = "bf16-mixed"
    accelerator: str = "auto"
    checkpoint_minutes: float = 3.0
    report: int = 20


def train(
    data: Path,
    out: Path,
    settings: TrainingSettings,
    progress: Progress = silent,
    *,
    labelmaps: Path | None = None,
    init: Path | None = None,
    resume: bool = False,
) -> Path:
    """Train, and return the path of the averaged weights ``out/weights.safetensors``.

    ``out`` also gets ``settings.json``, ``log.csv``, ``tensorboard/`` and ``checkpoint.safetensors``.

    Args:
        data: folder of NIfTI volumes, any modality and body part.
        labelmaps: folder of NIfTI label maps to synthesise images from.
        init: weights to start from.
        resume: go on from ``out``'s checkpoint.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / "checkpoint.safetensors").exists() and not resume:
        raise DsirError(f"{out} already holds a run; resume it, or choose another folder.")
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=2))
    sources = load_sources(
        data, labelmaps, settings.source_spacing, lambda name: progress("reading", 0.0, f"reading {name}")
    )
    examples = Examples(sources, settings.examples, settings.loss, settings.seed)
    run = _Run(settings, out, init)
    if resume:
        run.resume()
    run.go(examples, progress)
    return run.export()


class _Run:
    """Model, average, optimiser and clock of one run."""

    def __init__(self, settings: TrainingSettings, out: Path, init: Path | None) -> None:
        self.settings, self.out = settings, out
        torch.manual_seed(settings.seed)
        self.fabric = Fabric(accelerator=settings.accelerator, devices=1, precision=settings.precision)
        network = MasrNet(settings.network)
        if init:
            network.load_state_dict(read_weights(init).tensors)
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

    def go(self, examples: Examples, progress: Progress) -> None:
        log = TrainingLog(self.out)
        saved = last = reported = time.monotonic()
        losses, hits = [], []
        try:
            while self.done < 1:
                example = examples.draw(self.step)
                if example.a.shape[1] >= 32:  # else the views hardly overlap: nothing to tell apart
                    loss, share = self._learn(example)
                    losses.append(loss)
                    hits.append(share)
                self.step += 1
                now = time.monotonic()
                self.spent, last = self.spent + now - last, now
                if self.step % self.settings.report == 0 and losses:
                    mean = {"loss": sum(losses) / len(losses), "hits": sum(hits) / len(hits)}
                    log.write(
                        step=self.step,
                        seconds=self.spent,
                        learning_rate=self._rate(),
                        steps_per_second=self.settings.report / max(now - reported, 1e-9),
                        **mean,
                    )
                    progress("training", self.done, self._message(mean))
                    losses, hits, reported = [], [], now
                if now - saved > 60 * self.settings.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        finally:
            log.close()
            self.save()

    def _learn(self, example: Example) -> tuple[float, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        device = self.fabric.device
        self.model.train()
        first, second = (self.model(view[None, None].to(device))[0] for view in (example.first, example.second))
        result = contrast(first, second, example.a.to(device), example.b.to(device), self.settings.loss)
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(result.loss)
        self.fabric.clip_gradients(self.model, self.optimiser, max_norm=1.0)
        self.optimiser.step()
        self._follow()
        return float(result.loss.detach()), result.hits

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

    def _message(self, mean: dict[str, float]) -> str:
        left = self.spent / max(self.done, 1e-6) - self.spent
        return f"step {self.step}, loss {mean['loss']:.3f}, hits {mean['hits']:.2f}, {left / 60:.0f} min left"

    def save(self) -> None:
        """Checkpoint and averaged weights."""
        save_checkpoint(
            self.out, self.model.module, self.average, self.optimiser.optimizer, Progressed(self.step, self.spent)
        )
        self.export()

    def export(self) -> Path:
        path = self.out / "weights.safetensors"
        write_weights(
            path,
            self.average,
            self.settings.network,
            {
                "steps": self.step,
                "seed": self.settings.seed,
                "hours": round(self.spent / 3600, 2),
                "spacing": self.settings.examples.views.spacing,
            },
        )
        return path
