"""The panel's table of every setting of the engine: what it is, what it means, and the user's own value."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import qt
from dsir.progress import Progress
from slicer.i18n import tr as _

from . import worker
from .engine_process import Launcher
from .logic import RegistrationLogic
from .parameters import Parameters, set_single_changes, single_changes
from .run import Run

OTHERS = ("preset", "device", "threads", "seed")
"""Settings that have a place of their own in the panel."""


class SettingsSection:
    """Shows what ``dsir settings`` says of the chosen task, and keeps what is changed.

    Args:
        start: runs a piece of work in the panel's own way (progress, cancel, errors).
    """

    def __init__(self, ui: Any, logic: RegistrationLogic, start: Callable[..., None]) -> None:
        self.ui, self.logic, self._start = ui, logic, start
        self.parameters: Parameters | None = None
        self._rows: list[dict[str, Any]] = []
        self._of = ""
        self._filling = False
        ui.settingsTable.setHorizontalHeaderLabels([_("Setting"), _("Value")])
        ui.settingsTable.verticalHeader().setVisible(False)
        ui.settingsTable.horizontalHeader().setStretchLastSection(True)
        ui.settingsTable.cellChanged.connect(self._changed)
        ui.settingsFilter.textChanged.connect(lambda *_args: self._fill())
        ui.settingsSection.contentsCollapsed.connect(self._collapsed)
        ui.settingsResetButton.clicked.connect(lambda *_args: self.reset())

    def refresh(self, *, busy: bool = False, able: bool = True) -> None:
        """Bring the section up to date; ``able``: no package is missing."""
        changes = single_changes(self.parameters) if self.parameters is not None else {}
        said = ", ".join(f"{key} = {json.dumps(value)}" for key, value in changes.items())
        self.ui.settingsLabel.setText(_("Changed: {settings}").format(settings=said) if said else "")
        self.ui.settingsResetButton.setEnabled(bool(changes) and not busy)
        self.ui.settingsSection.setEnabled(able and not busy)
        stale = self.parameters is not None and self._of != self.parameters.preset
        if stale and able and not busy and not self.ui.settingsSection.collapsed:
            self._load()

    def reset(self) -> None:
        """Take every change back."""
        set_single_changes(self.parameters, {})
        self._fill()

    def _collapsed(self, collapsed: bool) -> None:
        if not collapsed:
            self._load()

    def _load(self) -> None:
        """Ask the engine, unless its answer for this task is there."""
        if self.parameters is None or self._of == self.parameters.preset:
            self._fill()
            return
        preset = self.parameters.preset

        def filled(found: list[dict[str, Any]]) -> str:
            self._rows, self._of = found, preset
            self._fill()
            return ""

        self._start(lambda progress: Run(_every_setting(preset, self.logic.launch, progress)), filled)

    def _fill(self) -> None:
        wanted = str(self.ui.settingsFilter.text).lower()
        changes = single_changes(self.parameters) if self.parameters is not None else {}
        shown = [row for row in self._rows if wanted in f"{row['key']} {row['meaning']}".lower()]
        table = self.ui.settingsTable
        self._filling = True
        try:
            table.setRowCount(len(shown))
            for number, row in enumerate(shown):
                key, value = row["key"], changes.get(row["key"], row["value"])
                cells = (qt.QTableWidgetItem(key), qt.QTableWidgetItem(json.dumps(value)))
                for column, cell in enumerate(cells):
                    cell.setToolTip(row["meaning"])
                    font = cell.font()
                    font.setBold(key in changes)
                    cell.setFont(font)
                    table.setItem(number, column, cell)
                cells[0].setFlags(qt.Qt.ItemIsEnabled)
            table.resizeColumnToContents(0)
        finally:
            self._filling = False

    def _changed(self, row: int, column: int) -> None:
        """A value was typed."""
        if self._filling or column != 1:
            return
        key, text = self.ui.settingsTable.item(row, 0).text(), self.ui.settingsTable.item(row, 1).text()
        try:
            value = json.loads(text)
        except ValueError:
            value = text.strip()
        changes = single_changes(self.parameters)
        changes.pop(key, None)
        if value != next(found["value"] for found in self._rows if found["key"] == key):
            changes[key] = value
        set_single_changes(self.parameters, changes)
        self._fill()


def _every_setting(
    preset: str, launch: Launcher, progress: Progress
) -> Generator[bool | None, None, list[dict[str, Any]]]:
    """``key``, ``value`` and ``meaning`` of each, for a preset."""
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as folder:
        progress("settings", 0.0, "asking the engine")
        words = yield from worker.run(["settings", "--preset", preset], Path(folder), launch=launch, progress=progress)
    return [row for row in words["explained"] if row["key"] not in OTHERS]
