"""The CTK widgets that the panel and Slicer's own base classes name."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from .qt import QCheckBox, QComboBox, QLineEdit, QPushButton, pythonqt


@pythonqt
class ctkCollapsibleButton(QtWidgets.QWidget):
    """A headline that folds what stands below it."""

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._collapsed = False
        self._head = QtWidgets.QToolButton(self)
        self._head.setToolButtonStyle(QtCore.Qt.ToolButtonTextBesideIcon)
        self._head.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._head.setAutoRaise(True)
        self._head.setStyleSheet("QToolButton { font-weight: bold; text-align: left; background: #dfe3e8; }")
        self._head.clicked.connect(lambda: self._set_collapsed(not self._collapsed))
        self.setContentsMargins(0, 26, 0, 0)
        self._set_collapsed(False)

    def resizeEvent(self, event: object) -> None:
        self._head.setGeometry(0, 0, self.width, 24)

    def _set_text(self, text: str) -> None:
        self._text = text
        self._head.setText(text)

    def _set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self._head.setArrowType(QtCore.Qt.RightArrow if collapsed else QtCore.Qt.DownArrow)
        self.setMaximumHeight(26 if collapsed else 16777215)
        self.contentsCollapsed.emit(collapsed)

    text = QtCore.Property(str, lambda self: self._text, _set_text)
    collapsed = QtCore.Property(bool, lambda self: self._collapsed, _set_collapsed)


@pythonqt
class ctkSliderWidget(QtWidgets.QWidget):
    """A slider and a number for a float."""

    valueChanged = QtCore.Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QtWidgets.QDoubleSpinBox()
        self._bar = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._bar)
        row.addWidget(self._box)
        self._bar.setRange(0, 1000)
        self._box.valueChanged.connect(self._moved)
        self._bar.sliderMoved.connect(
            lambda at: self._box.setValue(self._box.minimum() + at / 1000 * (self._box.maximum() - self._box.minimum()))
        )

    def _moved(self, value: float) -> None:
        span = self._box.maximum() - self._box.minimum()
        self._bar.setValue(round(1000 * (value - self._box.minimum()) / span) if span else 0)
        self.valueChanged.emit(value)

    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    value = QtCore.Property(float, lambda self: self._box.value(), setValue)
    minimum = QtCore.Property(float, lambda self: self._box.minimum(), lambda self, v: self._box.setMinimum(v))
    maximum = QtCore.Property(float, lambda self: self._box.maximum(), lambda self, v: self._box.setMaximum(v))
    singleStep = QtCore.Property(float, lambda self: self._box.singleStep(), lambda self, v: self._box.setSingleStep(v))
    decimals = QtCore.Property(int, lambda self: self._box.decimals(), lambda self, v: self._box.setDecimals(v))


def __getattr__(name: str) -> type:
    """Classes that Slicer's own connectors name but the panel does not use: nothing is an instance of them."""
    kinds = {"ctkCheckBox": QCheckBox, "ctkComboBox": QComboBox, "ctkCheckablePushButton": QPushButton}
    unused = {"ctkDoubleSlider", "ctkDoubleSpinBox", "ctkRangeWidget", "ctkDoubleRangeSlider", "ctkPathLineEdit"}
    unused |= {"ctkDirectoryButton", "ctkColorPickerButton"}
    if name in kinds or name in unused:
        return type(name, (kinds.get(name, QLineEdit),), {})
    raise AttributeError(f"the stand-in for ctk has no {name}")
