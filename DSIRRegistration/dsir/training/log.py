"""The live log of a training run: one CSV line and TensorBoard scalars every few steps."""

from __future__ import annotations

import csv
from pathlib import Path


class TrainingLog:
    """Appends to ``log.csv`` and, where TensorBoard is installed, to ``tensorboard/``.

    Attributes:
        columns: of the CSV: step, seconds, loss, the ``facts`` of what is learned, learning rate and speed.
    """

    def __init__(self, folder: Path, facts: tuple[str, ...]) -> None:
        self.columns = ("step", "seconds", "loss", *facts, "learning_rate", "steps_per_second")
        path = folder / "log.csv"
        fresh = not path.exists()
        self._file = path.open("a", newline="")
        self._csv = csv.writer(self._file)
        if fresh:
            self._csv.writerow(self.columns)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:  # an extra of the project: the CSV holds the same numbers
            self._board = None
        else:
            self._board = SummaryWriter(str(folder / "tensorboard"))

    def write(self, **values: float) -> None:
        """One line; ``values`` has all of ``columns``."""
        self._csv.writerow([f"{values[name]:.6g}" for name in self.columns])
        self._file.flush()
        if self._board:
            for name in self.columns[2:]:
                self._board.add_scalar(name, values[name], int(values["step"]))

    def close(self) -> None:
        self._file.close()
        if self._board:
            self._board.close()
