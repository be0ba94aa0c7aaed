"""The boxes of the panel that hold more than one node selector can: a mask's segment, and what is to be carried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer.util
from slicer.i18n import tr as _

from . import parameters
from .parameters import Parameters


class NodeBoxes:
    """They show what the parameter node says, and write into it what the user chooses.

    Args:
        chosen: where a choice goes; None while the boxes are being filled.
    """

    def __init__(self, ui: Any, chosen: Callable[[], Parameters | None]) -> None:
        self.ui, self._chosen = ui, chosen
        ui.structuresSelector.checkedNodesChanged.connect(self._structures_changed)
        for role in ("fixed", "moving"):
            self._segments(role).currentIndexChanged.connect(lambda *_args, role=role: self._segment_changed(role))

    def show(self, said: Parameters) -> None:
        """Fill them."""
        for role in ("fixed", "moving"):
            self._fill_segments(role, said)
        self._check_structures(said)

    def _segments(self, role: str) -> Any:
        return self.ui.fixedSegmentSelector if role == "fixed" else self.ui.movingSegmentSelector

    def _fill_segments(self, role: str, said: Parameters) -> None:
        box, node = self._segments(role), getattr(said, f"{role}Mask")
        is_segmentation = node is not None and node.IsA("vtkMRMLSegmentationNode")
        box.setVisible(is_segmentation)
        box.clear()
        if not is_segmentation:
            return
        box.addItem(_("Choose a segment"), "")
        segmentation, chosen = node.GetSegmentation(), getattr(said, f"{role}Segment")
        for number, segment in enumerate(segmentation.GetSegmentIDs(), start=1):
            box.addItem(segmentation.GetSegment(segment).GetName(), segment)
            if segment == chosen:
                box.setCurrentIndex(number)

    def _segment_changed(self, role: str) -> None:
        said = self._chosen()
        if said is not None:
            box = self._segments(role)
            setattr(said, f"{role}Segment", str(box.itemData(box.currentIndex) or ""))

    def _check_structures(self, said: Parameters) -> None:
        chosen, box = parameters.structures(said), self.ui.structuresSelector
        for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode"):
            wanted = qt.Qt.Checked if node in chosen else qt.Qt.Unchecked
            if box.checkState(node) != wanted:
                box.setCheckState(node, wanted)

    def _structures_changed(self) -> None:
        said = self._chosen()
        if said is not None:
            parameters.set_structures(said, list(self.ui.structuresSelector.checkedNodes()))
