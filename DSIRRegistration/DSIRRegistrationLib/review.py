"""The panel's quality section: the table, the views, the comparison with what is known."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from . import views
from .cursor import LinkedCursor
from .evaluation_rows import EVALUATION, evaluation_rows
from .logic import RegistrationLogic
from .nodes.checkerboard import place_checkerboard
from .nodes.windows import AS_FIXED, CHOICES, FITTING, chosen_by_hand, show_with
from .parameters import Parameters, structures
from .quality import REPORT, Row, rows
from .verdict import verdict_of
from .verdict_label import headline

COLOURS = {"good": "#2e7d32", "look": "#b26a00", "bad": "#c62828"}
VIEW_BUTTONS = ("fixedViewButton", "warpedViewButton", "bothViewButton", "checkerButton", "flickerButton")
FLICKER = 500
"""Milliseconds between the two pictures."""


class Review:
    """What stands below Apply once there is a result.

    Args:
        start: runs a piece of work in the panel's own way (progress, cancel, errors).
        own_views: gives the views back that somebody else has taken.
    """

    def __init__(
        self, ui: Any, logic: RegistrationLogic, start: Callable[..., None], own_views: Callable[[], None]
    ) -> None:
        self.ui, self.logic, self._start, self._own_views = ui, logic, start, own_views
        self.parameters: Parameters | None = None
        self._cursor: LinkedCursor | None = None
        self._board: slicer.vtkMRMLScalarVolumeNode | None = None
        self._flicker = qt.QTimer()
        self._flicker.setInterval(FLICKER)
        self._flicker.timeout.connect(self._turn)
        self._front = False
        ui.qualityTable.horizontalHeader().setVisible(False)
        ui.qualityTable.verticalHeader().setVisible(False)
        ui.qualityTable.horizontalHeader().setStretchLastSection(True)
        ui.fixedViewButton.clicked.connect(lambda *_args: self.show(0.0))
        ui.warpedViewButton.clicked.connect(lambda *_args: self.show(1.0))
        ui.bothViewButton.clicked.connect(lambda *_args: self.show(0.5))
        ui.checkerButton.clicked.connect(lambda *_args: self.show_checkerboard())
        ui.jacobianViewButton.clicked.connect(lambda *_args: self.show_jacobian())
        ui.confidenceViewButton.clicked.connect(lambda *_args: self.show_confidence())
        ui.flickerButton.toggled.connect(self.set_flicker)
        ui.blendSlider.valueChanged.connect(self._blend)
        words = {FITTING: _("fitting each scan"), AS_FIXED: _("warped as fixed")}
        for choice in CHOICES:
            ui.windowSelector.addItem(words.get(choice, _("CT: {name}").format(name=choice)), choice)
        ui.windowSelector.currentIndexChanged.connect(lambda *_args: self.set_windows())
        ui.cursorCheck.toggled.connect(self.set_cursor)
        ui.evaluateButton.clicked.connect(lambda *_args: self.evaluate())
        ui.exportButton.clicked.connect(lambda *_args: self.export())

    def set_parameters(self, parameters: Parameters | None) -> None:
        """Look at another scene's state."""
        self.stop()
        self.parameters = parameters

    def refresh(self, *, busy: bool = False, stopped: bool = False) -> None:
        """Bring the section up to date with the nodes; ``stopped``: the last run made nothing."""
        transform, warped = self._result()
        report, evaluation = self._read(transform, REPORT), self._read(transform, EVALUATION)
        self.ui.qualitySection.text = _("Quality") + (f": {transform.GetName()}" if transform is not None else "")
        self._fill([*rows(report), *evaluation_rows(evaluation)])
        verdict = None if transform is None or busy else verdict_of(report, evaluation)
        self.ui.verdictLabel.setText(headline(transform.GetName(), verdict, earlier=stopped) if verdict else "")
        self.ui.verdictLabel.setVisible(verdict is not None)
        warnings = "".join(
            f"<li style='color:{COLOURS['look']}'>{html.escape(w)}</li>" for w in report.get("warnings", ())
        )
        self.ui.warningsLabel.setText(f"<ul style='margin-left:-20px'>{warnings}</ul>" if warnings else "")
        self.ui.warningsLabel.setVisible(bool(warnings))
        for name in VIEW_BUTTONS:
            getattr(self.ui, name).setEnabled(warped is not None and self.parameters.fixed is not None)
        self.ui.blendSlider.setEnabled(warped is not None)
        if self._cursor is not None and self._cursor.transform is not transform:
            self.set_cursor(True)  # another node has taken its place
        self.ui.windowSelector.setEnabled(warped is not None)
        self.ui.cursorCheck.setEnabled(transform is not None)
        self.ui.jacobianViewButton.setEnabled(self.parameters is not None and self.parameters.jacobian is not None)
        self.ui.confidenceViewButton.setEnabled(self.parameters is not None and self.parameters.confidence is not None)
        able = transform is not None and self.parameters.fixed is not None and self.parameters.moving is not None
        self.ui.exportButton.setEnabled(able and not busy)
        why = self._why_not(transform)
        self.ui.evaluateButton.setEnabled(not why and not busy)
        self.ui.evaluateButton.setToolTip(
            why or _("Dice, 95 % Hausdorff distance and landmark errors, before and after.")
        )

    def show(self, opacity: float) -> None:
        """Fixed behind, warped in front."""
        warped = self._result()[1]
        if warped is None or self.parameters.fixed is None:
            return
        self.ui.flickerButton.setChecked(False)
        self._view(self.parameters.fixed, warped, opacity)
        self.ui.blendSlider.setValue(opacity)

    def _view(self, *layers: Any) -> None:
        """Put volumes into the user's own views."""
        self._own_views()
        views.show(*layers)

    def show_checkerboard(self) -> None:
        """Both in squares."""
        warped = self._result()[1]
        if warped is None or self.parameters.fixed is None:
            return
        self.ui.flickerButton.setChecked(False)
        kept = self._board if self._board is not None and self._board.GetScene() is not None else None
        self._board = place_checkerboard(self.parameters.fixed, warped, target=kept)
        self._view(self._board, None)

    def show_jacobian(self) -> None:
        """The map of volume change over the fixed scan."""
        if self.parameters.fixed is not None and self.parameters.jacobian is not None:
            self.ui.flickerButton.setChecked(False)
            self._view(self.parameters.fixed, self.parameters.jacobian, 0.5)

    def show_confidence(self) -> None:
        """The map of confidence over the fixed scan: dark is where not to trust."""
        if self.parameters.fixed is not None and self.parameters.confidence is not None:
            self.ui.flickerButton.setChecked(False)
            self._view(self.parameters.fixed, self.parameters.confidence, 0.5)

    def set_windows(self) -> None:
        """Show both scans with the chosen grey values."""
        p, warped = self.parameters, self._result()[1]
        if p is None or p.fixed is None:
            return
        others = [node for node in (p.moving, warped) if node is not None]
        show_with(CHOICES[self.ui.windowSelector.currentIndex], p.fixed, *others)

    def fit_windows(self) -> None:
        """After a run: windows that nobody chose by hand fit their modality; the warped scan is shown as the moving."""
        p, warped = self.parameters, self._result()[1]
        for node in (p.fixed, p.moving):
            if node is not None and not chosen_by_hand(node):
                show_with(FITTING, node)
        if p.moving is not None and warped is not None:
            show_with(AS_FIXED, p.moving, warped)

    def set_flicker(self, on: bool) -> None:
        """Fixed and warped in turn."""
        if on:
            warped = self._result()[1]
            if warped is not None and self.parameters.fixed is not None:
                self._view(self.parameters.fixed, warped, 0.0)
                self._flicker.start()
        else:
            self._flicker.stop()

    def set_cursor(self, on: bool) -> None:
        """The marker in the unwarped moving scan."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        transform, _warped = self._result()
        if on and transform is not None:
            self._cursor = LinkedCursor(transform.GetScene(), transform)

    def evaluate(self) -> None:
        """Measure against what is chosen."""
        p = self.parameters
        segmentations = (p.fixedSegmentation, p.movingSegmentation)
        landmarks = (p.fixedLandmarks, p.movingLandmarks)
        self._start(
            lambda progress: self.logic.start_evaluate(
                p.transform,
                p.fixed,
                segmentations if all(segmentations) else None,
                landmarks if all(landmarks) else None,
                progress,
            ),
            _("Evaluated."),
        )

    def export(self) -> None:
        """Write the result as DICOM into a folder that the user chooses."""
        p, folder = self.parameters, self.choose_folder()
        if not folder:
            return
        carried, two = structures(p), p.differentPatients
        self._start(
            lambda progress: self.logic.start_export(p.transform, p.fixed, p.moving, folder, carried, two, progress),
            lambda files: _("Written: {files}.").format(files=", ".join(file.name for file in files)),
        )

    @staticmethod
    def choose_folder() -> str:
        """Ask the user; empty where nothing was chosen."""
        return str(qt.QFileDialog.getExistingDirectory(None, _("Folder for the DICOM files")) or "")

    def stop(self) -> None:
        """Leave nothing running and nothing in the views that is ours alone."""
        self.ui.flickerButton.setChecked(False)
        self.ui.cursorCheck.setChecked(False)
        self._flicker.stop()

    def _turn(self) -> None:
        self._front = not self._front
        views.set_opacity(1.0 if self._front else 0.0)

    def _blend(self, value: float) -> None:
        if self._result()[1] is not None:
            views.set_opacity(value)

    def _result(self) -> tuple[slicer.vtkMRMLTransformNode | None, slicer.vtkMRMLScalarVolumeNode | None]:
        if self.parameters is None:
            return None, None
        return self.parameters.transform, self.parameters.warped

    def _why_not(self, transform: slicer.vtkMRMLTransformNode | None) -> str:
        p = self.parameters
        if transform is None:
            return _("Register first, or choose a transform under Result.")
        if not (p.fixedSegmentation and p.movingSegmentation) and not (p.fixedLandmarks and p.movingLandmarks):
            return _("Choose segmentations or landmarks of both scans.")
        return ""

    @staticmethod
    def _read(node: slicer.vtkMRMLTransformNode | None, attribute: str) -> dict[str, Any]:
        text = node.GetAttribute(attribute) if node is not None else None
        try:
            return json.loads(text) if text else {}
        except ValueError:
            return {}

    def _fill(self, found: list[Row]) -> None:
        table = self.ui.qualityTable
        table.setRowCount(len(found))
        for number, row in enumerate(found):
            what, value = qt.QTableWidgetItem(row.what), qt.QTableWidgetItem(row.value)
            if row.verdict in COLOURS:
                value.setForeground(qt.QBrush(qt.QColor(COLOURS[row.verdict])))
            for column, item in enumerate((what, value)):
                item.setToolTip(row.meaning)
                table.setItem(number, column, item)
        table.resizeColumnToContents(0)
        height = 24 * max(len(found), 1) + 4
        table.verticalHeader().setDefaultSectionSize(24)
        table.setFixedHeight(height)
        table.setVisible(bool(found))
