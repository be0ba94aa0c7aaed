"""The qMRML widgets of the panel, on a real scene."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from .qt import pythonqt


@pythonqt
class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene and tells those connected to it in the .ui file."""

    mrmlSceneChanged = QtCore.Signal(object)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene) -> None:
        self.mrmlSceneChanged.emit(scene)


@pythonqt
class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """A choice among the scene's nodes of some types."""

    currentNodeChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        for name, value in {
            "_types": [], "_none": False, "_none_text": "None", "_child_types": True, "_add": True, "_remove": True,
            "_rename": False, "_base": "", "_scene": None, "_tags": [], "_node": None, "_filling": False,
        }.items():  # fmt: skip
            setattr(self, name, value)
        super().currentIndexChanged.connect(self._picked)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        if scene is None:
            self._tags = []
            return
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
        self._tags = [scene.AddObserver(event, lambda *_: self._fill()) for event in events]
        self._fill()

    def nodes(self) -> list[Any]:
        """All that could be chosen, in the scene's order."""
        if self._scene is None:
            return []
        found = [self._scene.GetNthNode(n) for n in range(self._scene.GetNumberOfNodes())]
        return [n for n in found if self._fits(n) and not n.GetHideFromEditors()]

    def _fits(self, node: Any) -> bool:
        if self._child_types:
            return any(node.IsA(kind) for kind in self._types)
        return node.GetClassName() in self._types

    def _fill(self) -> None:
        if "_none" not in vars(self):
            return  # the interpreter ends, and the scene outlives the selector
        self._filling = True
        self.clear()
        if self._none:
            self.addItem(self._none_text, "")
        for node in self.nodes():
            self.addItem(node.GetName(), node.GetID())
        self._filling = False
        kept = self._node if self._node is not None and self._node in self.nodes() else None
        self._show(kept)
        if kept is not self._node:
            self._node = kept
            self.currentNodeChanged.emit(kept)

    def _show(self, node: Any) -> None:
        self._filling = True
        super().setCurrentIndex(self.findData(node.GetID() if node is not None else ""))
        self._filling = False

    def _picked(self, index: int) -> None:
        if not self._filling:
            identity = self.itemData(index)
            self.setCurrentNode(self._scene.GetNodeByID(identity) if identity else None)

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        if node is not None and not self._fits(node):
            node = None
        changed = node is not self._node
        self._node = node
        self._show(node)
        if changed:
            self.currentNodeChanged.emit(node)

    def _set(name: str, then: Any = None) -> Any:
        def set_it(self: Any, value: Any) -> None:
            setattr(self, name, value)
            self._fill()

        return set_it

    nodeTypes = QtCore.Property(list, lambda self: self._types, lambda self, v: self._set_types(v))
    noneEnabled = QtCore.Property(bool, lambda self: self._none, _set("_none"))
    noneDisplay = QtCore.Property(str, lambda self: self._none_text, _set("_none_text"))
    showChildNodeTypes = QtCore.Property(bool, lambda self: self._child_types, _set("_child_types"))
    addEnabled = QtCore.Property(bool, lambda self: self._add, _set("_add"))
    removeEnabled = QtCore.Property(bool, lambda self: self._remove, _set("_remove"))
    renameEnabled = QtCore.Property(bool, lambda self: self._rename, _set("_rename"))
    baseName = QtCore.Property(str, lambda self: self._base, _set("_base"))

    def _set_types(self, types: Any) -> None:
        self._types = list(types)
        self._fill()


@pythonqt
class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """A choice of several nodes."""

    checkedNodesChanged = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._checked = []

    def checkedNodes(self) -> list[Any]:
        return [node for node in self.nodes() if node.GetID() in self._checked]

    def checkState(self, node: Any) -> QtCore.Qt.CheckState:
        return QtCore.Qt.Checked if node.GetID() in self._checked else QtCore.Qt.Unchecked

    def setCheckState(self, node: Any, state: QtCore.Qt.CheckState) -> None:
        if node not in self.nodes():
            return
        kept = [identity for identity in self._checked if identity != node.GetID()]
        self._checked = [*kept, node.GetID()] if state == QtCore.Qt.Checked else kept
        self.checkedNodesChanged.emit()
        self.update()

    def paintEvent(self, event: object) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = ", ".join(node.GetName() for node in self.checkedNodes()) or "Nothing"
        painter.drawComplexControl(QtWidgets.QStyle.CC_ComboBox, option)
        painter.drawControl(QtWidgets.QStyle.CE_ComboBoxLabel, option)
