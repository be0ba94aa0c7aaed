"""The base classes of a scripted module, as small as the module under test allows."""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

import slicer
import slicer.util
from PySide6 import QtWidgets

from .qmrml import qMRMLWidget


class ScriptedLoadableModule:
    """Holds the parent that Slicer gives."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    """A parent with a layout; loads files from ``Resources``."""

    def __init__(self, parent: Any = None) -> None:
        alone = parent is None
        if alone:
            parent = qMRMLWidget()
            QtWidgets.QVBoxLayout(parent)
        self.parent, self.layout = parent, parent.layout()
        if alone:
            self.setup()

    def setup(self) -> None:
        """The real one adds the developer's section."""

    def resourcePath(self, name: str) -> str:
        return str(Path(slicer.util.modulePath("DSIRRegistration")).parent / "Resources" / name)


class ScriptedLoadableModuleLogic:
    """Finds or makes the module's parameter node."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> slicer.vtkMRMLScriptedModuleNode:
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """unittest's."""
