"""``qt`` as PythonQt has it: PySide6 underneath, Qt properties as attributes, unknown attributes refused."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from PySide6.QtCore import QFile, QSettings, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QBrush, QColor, QFont, QIcon, QKeySequence, QPixmap
from PySide6.QtWidgets import QApplication, QTableWidgetItem

__all__ = [
    "QApplication",
    "QBrush",
    "QColor",
    "QFile",
    "QFont",
    "QIcon",
    "QKeySequence",
    "QPixmap",
    "QSettings",
    "QTableWidgetItem",
]
__all__ += ["QTimer", "QUrl", "Qt", "Signal"]

ALIVE: list[QtWidgets.QWidget] = []
"""What was loaded stays: a scene may call a selector that Python would already have collected."""

WIDGETS: dict[str, type] = {}
"""Class name to class, for the loader of .ui files."""


def pythonqt(cls: type) -> type:
    """Give a widget class PythonQt's manners: ``widget.text`` reads the property, ``widget.text = x`` writes it."""
    meta = cls.staticMetaObject
    for number in range(meta.propertyCount()):
        name = meta.property(number).name()
        if not isinstance(getattr(cls, name, None), QtCore.Property):  # our own are attributes already
            setattr(cls, name, property(_getter(name), _setter(name)))
    cls.name = property(lambda self: self.objectName, lambda self, value: self.setProperty("objectName", value))
    cls.__setattr__ = _strict(next(base for base in cls.__mro__ if base.__module__.startswith("PySide6")))
    cls.connect = _connect
    WIDGETS[cls.__name__] = cls
    return cls


def _getter(name: str) -> Any:
    return lambda self: self.property(name)


def _setter(name: str) -> Any:
    def set_it(self: QtCore.QObject, value: Any) -> None:
        if not self.setProperty(name, value):
            raise TypeError(f"{type(self).__name__}.{name} cannot be {value!r}")

    return set_it


def _strict(native: type) -> Any:
    def set_it(self: QtCore.QObject, name: str, value: Any) -> None:
        if isinstance(value, QtCore.QObject) and value.property("objectName") == name:
            return  # PySide's loader puts children there; PythonQt does not
        if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property | QtCore.Property):
            raise AttributeError(f"{type(self).__name__} has no property {name!r}")
        native.__setattr__(self, name, value)

    return set_it


def _connect(self: QtCore.QObject, signal: str, slot: Any) -> None:
    name = signal.split("(")[0]
    if not isinstance(getattr(self, name, None), QtCore.SignalInstance):
        raise AttributeError(f"{type(self).__name__} has no signal {signal!r}")
    getattr(self, name).connect(slot)


def _plain(name: str) -> type:
    return pythonqt(type(name, (getattr(QtWidgets, name),), {"__module__": "qt"}))


QWidget = _plain("QWidget")
QLabel = _plain("QLabel")
QPushButton = _plain("QPushButton")
QToolButton = _plain("QToolButton")
QCheckBox = _plain("QCheckBox")
QComboBox = _plain("QComboBox")
QSpinBox = _plain("QSpinBox")
QDoubleSpinBox = _plain("QDoubleSpinBox")
QSlider = _plain("QSlider")
QLineEdit = _plain("QLineEdit")
QTextEdit = _plain("QTextEdit")
QPlainTextEdit = _plain("QPlainTextEdit")
QProgressBar = _plain("QProgressBar")
QTableWidget = _plain("QTableWidget")
QFormLayout, QHBoxLayout, QVBoxLayout = QtWidgets.QFormLayout, QtWidgets.QHBoxLayout, QtWidgets.QVBoxLayout
QFileDialog = QtWidgets.QFileDialog
QMenu, QAction, QDesktopServices, QSizePolicy = (
    QtWidgets.QMenu,
    QtGui.QAction,
    QtGui.QDesktopServices,
    QtWidgets.QSizePolicy,
)


class QShortcut(QtGui.QShortcut):
    """A key that does something while a window is active."""

    connect = _connect


class QUiLoader(QtUiTools.QUiLoader):
    """Loads .ui files into the classes of this stand-in; one it does not know is an error."""

    def createWidget(self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = "") -> Any:
        if class_name not in WIDGETS:
            raise TypeError(f"the stand-in has no widget class {class_name}")
        widget = WIDGETS[class_name](parent)
        widget.setObjectName(name)
        return widget

    def load(self, file: QFile, parent: QtWidgets.QWidget | None = None) -> Any:
        """As Qt's, but connections are made in Python: their signals carry MRML nodes, which Qt does not know here."""
        tree = ElementTree.fromstring(bytes(file.readAll()))
        found = tree.find("connections")
        if found is not None:
            tree.remove(found)
        content = QtCore.QBuffer()
        content.setData(ElementTree.tostring(tree))
        root = super().load(content, parent)
        ALIVE.append(root)
        for connection in found if found is not None else ():
            sender, receiver = (self._named(root, connection.findtext(end)) for end in ("sender", "receiver"))
            slot = connection.findtext("slot").split("(")[0]
            _connect(sender, connection.findtext("signal"), getattr(receiver, slot))
        return root

    @staticmethod
    def _named(root: QtWidgets.QWidget, name: str) -> QtWidgets.QWidget:
        found = root if root.objectName == name else root.findChild(QtWidgets.QWidget, name)
        if found is None:
            raise LookupError(f"the .ui file connects {name}, which it does not hold")
        return found
