"""``slicer.parameterNodeWrapper`` for strings, numbers, booleans and nodes."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets

from . import qmrml, qt


@dataclass(frozen=True)
class Choice:
    """One of these."""

    choices: list[Any]

    def check(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


@dataclass(frozen=True)
class WithinRange:
    """Between these."""

    minimum: float
    maximum: float

    def check(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value!r} is not between {self.minimum} and {self.maximum}")


def parameterNodeWrapper(cls: type) -> type:
    """Make typed attributes of a class live in a parameter node."""
    hints = typing.get_type_hints(cls, include_extras=True)
    kinds = {name: typing.get_args(hint)[0] if hasattr(hint, "__metadata__") else hint for name, hint in hints.items()}
    rules = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    defaults = {name: getattr(cls, name, _default(kind)) for name, kind in kinds.items()}
    for name in hints:
        setattr(cls, name, _attribute(name, kinds[name], rules[name], defaults[name]))

    def start(self: Any, node: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.parameterNode = node
        for name, default in defaults.items():
            if not node.HasParameter(name):
                setattr(self, name, default)

    cls.__init__ = start
    cls.rules = rules
    cls.connectGui = _connect_gui
    cls.disconnectGui = _disconnect_gui
    cls.StartModify = lambda self: self.parameterNode.StartModify()
    cls.EndModify = lambda self, was: self.parameterNode.EndModify(was)
    return cls


def _is_node(kind: Any) -> bool:
    return kind not in (str, int, float, bool)


def _default(kind: Any) -> Any:
    return None if _is_node(kind) else kind()


def _attribute(name: str, kind: Any, rules: tuple[Any, ...], default: Any) -> property:
    def read(self: Any) -> Any:
        if _is_node(kind):
            return self.parameterNode.GetNodeReference(name)
        text = self.parameterNode.GetParameter(name)
        return text == "True" if kind is bool else kind(text)

    def write(self: Any, value: Any) -> None:
        if _is_node(kind):
            if value is not None and not isinstance(value, typing.get_args(kind) or kind):
                raise TypeError(f"{name} cannot be a {type(value).__name__}")
            was = self.parameterNode.StartModify()
            self.parameterNode.SetParameter(name, "")
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)
            self.parameterNode.EndModify(was)
            return
        if not isinstance(value, kind):
            raise TypeError(f"{name} cannot be {value!r}")
        for rule in rules:
            rule.check(value)
        self.parameterNode.SetParameter(name, str(value))

    return property(read, write)


def _connect_gui(self: Any, gui: Any) -> tuple[list[Any], int]:
    """Join every widget that carries a ``SlicerParameterName``; both ways."""
    links, widgets = [], {}
    for widget in vars(gui).values():
        name = widget.property("SlicerParameterName")
        if name:
            if not hasattr(type(self), name):
                raise ValueError(f"no parameter is called {name!r}")
            widgets[name] = widget
    busy = [False]

    def show(*_: Any) -> None:
        if busy[0]:
            return
        busy[0] = True
        try:
            for name, widget in widgets.items():
                _write(widget, getattr(self, name))
        finally:
            busy[0] = False

    for name, widget in widgets.items():
        _prepare(widget, type(self).rules[name])

        def take(*_: Any, name: str = name, widget: Any = widget) -> None:
            if not busy[0]:
                setattr(self, name, _read(widget))

        signal = _signal(widget)
        links.append((signal, signal.connect(take)))
    show()
    return links, self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, show)


def _disconnect_gui(self: Any, tag: tuple[list[Any], int]) -> None:
    for signal, connection in tag[0]:
        signal.disconnect(connection)
    self.parameterNode.RemoveObserver(tag[1])


def _prepare(widget: Any, rules: tuple[Any, ...]) -> None:
    for rule in rules:
        if isinstance(rule, Choice):
            widget.clear()
            widget.addItems([str(choice) for choice in rule.choices])
        elif isinstance(rule, WithinRange):
            widget.minimum, widget.maximum = rule.minimum, rule.maximum


def _signal(widget: Any) -> Any:
    if isinstance(widget, qmrml.qMRMLNodeComboBox):
        return widget.currentNodeChanged
    if isinstance(widget, QtWidgets.QComboBox):
        return widget.currentIndexChanged
    if isinstance(widget, QtWidgets.QAbstractButton):
        return widget.toggled
    return widget.valueChanged


def _read(widget: Any) -> Any:
    if isinstance(widget, qmrml.qMRMLNodeComboBox):
        return widget.currentNode()
    if isinstance(widget, QtWidgets.QComboBox):
        return widget.currentText
    return widget.checked if isinstance(widget, QtWidgets.QAbstractButton) else widget.value


def _write(widget: Any, value: Any) -> None:
    if isinstance(widget, qmrml.qMRMLNodeComboBox):
        widget.setCurrentNode(value)
    elif isinstance(widget, QtWidgets.QComboBox):
        widget.currentIndex = widget.findText(value)
    elif isinstance(widget, QtWidgets.QAbstractButton):
        widget.checked = value
    elif isinstance(widget, qt.QSpinBox | qt.QDoubleSpinBox) or hasattr(widget, "value"):
        widget.value = value
