"""The application's parts of ``slicer``: the module's parent, its base classes, the views' last picture."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import slicer
import slicer.util
from PySide6 import QtCore, QtWidgets

from . import ctk, qmrml, qt, wrapper


class Application(QtCore.QObject):
    """``slicer.app`` as far as a scripted module sees it."""

    startupCompleted = QtCore.Signal()

    def connect(self, signal: str, slot: Any) -> None:
        qt._connect(self, signal, slot)

    def moduleManager(self) -> Application:
        return self

    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def setOverrideCursor(self, cursor: Any) -> None:
        QtWidgets.QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        QtWidgets.QApplication.restoreOverrideCursor()

    def layoutManager(self) -> Any:
        """None without a main window; a test may put a real one there."""
        return self.layout_manager

    layout_manager: ClassVar[Any] = None

    def testingEnabled(self) -> bool:
        return True

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()


class Shown:
    """What the slice views were last asked to show."""

    layers: ClassVar[dict[str, Any]] = {}
    window: ClassVar[Any] = None
    """The main window, where a test has one."""

    @classmethod
    def take(cls, **layers: Any) -> None:
        cls.layers = cls.layers | {name: value for name, value in layers.items() if value is not None}


def install(module_file: Path, real: str | None) -> None:
    """Put everything in its place; with ``real`` (Slicer's Base/Python) its own base classes."""
    if QtWidgets.QApplication.instance() is None:
        QtWidgets.QApplication(["stand-in"]).setStyle("Fusion")
    slicer.app = Application()
    slicer.modules = types.SimpleNamespace(sampleDataSources={})
    slicer.selfTests = {}
    for cls in (qmrml.qMRMLWidget, qmrml.qMRMLNodeComboBox, qmrml.qMRMLCheckableNodeComboBox):
        setattr(slicer, cls.__name__, cls)
    for name in ("qMRMLSliderWidget", "qMRMLSpinBox", "qMRMLRangeWidget"):
        setattr(slicer, name, type(name, (ctk.ctkSliderWidget,), {}))
    slicer.util.settingsValue = lambda key, default, converter=lambda value: value, settings=None: default
    slicer.util.modulePath = lambda name: str(module_file)
    slicer.util.setSliceViewerLayers = Shown.take
    slicer.util.pip_install = _no_network
    slicer.util.mainWindow = lambda: Shown.window
    if real:
        folder = str(Path(real) / "slicer")
        if folder not in slicer.__path__:
            slicer.__path__.append(folder)
        slicer.app.translate = lambda context, text: text
        for name in ("i18n", "parameterNodeWrapper", "ScriptedLoadableModule"):
            setattr(slicer, name, importlib.import_module(f"slicer.{name}"))
    else:
        sys.modules["slicer.i18n"] = types.ModuleType("slicer.i18n")
        sys.modules["slicer.i18n"].tr = lambda text: text
        sys.modules["slicer.i18n"].translate = lambda context, text: text
        sys.modules["slicer.parameterNodeWrapper"] = wrapper
        sys.modules["slicer.ScriptedLoadableModule"] = importlib.import_module("standin.module")


def _no_network(*arguments: Any) -> None:
    raise RuntimeError("nothing is installed in tests")
