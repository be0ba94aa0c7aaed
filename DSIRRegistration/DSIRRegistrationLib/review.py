"""The panel's quality section: verdict, table, the comparison with what is known, export. The views stand apart."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import qt
import slicer
from dsir.reports.registration.facts import warnings_beside_verdict
from slicer.i18n import tr as _

from .evaluation_rows import EVALUATION, evaluation_rows
from .logic import RegistrationLogic
from .parameters import Parameters, structures
from .quality import REPORT, Row, rows
from .result_views import ResultViews
from .verdict import verdict_of
from .verdict_label import headline

COLOURS = {"good": "#2e7d32", "look": "#b26a00", "bad": "#c62828"}


class Review:
    """What stands below Apply once there is a result.

    Args:
        start: runs a piece of work in the panel's own way (progress, cancel, errors).
        own_views: gives the views back that somebody else has taken.
    """

    def __init__(
        self, ui: Any, logic: RegistrationLogic, start: Callable[..., None], own_views: Callable[[], None]
    ) -> None:
        self.ui, self.logic, self._start = ui, logic, start
        self.parameters: Parameters | None = None
        self.views = ResultViews(ui, own_views)
        ui.qualityTable.horizontalHeader().setVisible(False)
        ui.qualityTable.verticalHeader().setVisible(False)
        ui.qualityTable.horizontalHeader().setStretchLastSection(True)
        ui.evaluateButton.clicked.connect(lambda *_args: self.evaluate())
        ui.exportButton.clicked.connect(lambda *_args: self.export())

    def set_parameters(self, parameters: Parameters | None) -> None:
        """Look at another scene's state."""
        self.views.stop()
        self.parameters = self.views.parameters = parameters

    def refresh(self, *, busy: bool = False, stopped: bool = False) -> None:
        """Bring the section up to date with the nodes; ``stopped``: the last run made nothing."""
        transform = self.parameters.transform if self.parameters is not None else None
        report, evaluation = self._read(transform, REPORT), self._read(transform, EVALUATION)
        self.ui.qualitySection.text = _("Quality") + (f": {transform.GetName()}" if transform is not None else "")
        self._fill([*rows(report), *evaluation_rows(evaluation)])
        verdict = None if transform is None or busy else verdict_of(report, evaluation)
        self.ui.verdictLabel.setText(headline(transform.GetName(), verdict, earlier=stopped) if verdict else "")
        self.ui.verdictLabel.setVisible(verdict is not None)
        warnings = "".join(
            f"<li style='color:{COLOURS['look']}'>{html.escape(w)}</li>" for w in warnings_beside_verdict(report)
        )
        self.ui.warningsLabel.setText(f"<ul style='margin-left:-20px'>{warnings}</ul>" if warnings else "")
        self.ui.warningsLabel.setVisible(bool(warnings))
        self.views.refresh()
        able = transform is not None and self.parameters.fixed is not None and self.parameters.moving is not None
        self.ui.exportButton.setEnabled(able and not busy)
        why = self._why_not(transform)
        self.ui.evaluateButton.setEnabled(not why and not busy)
        self.ui.evaluateButton.setToolTip(
            why or _("Dice, 95 % Hausdorff distance and landmark errors, before and after.")
        )

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
