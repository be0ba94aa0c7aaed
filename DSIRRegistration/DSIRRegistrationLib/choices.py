"""Choices in words: what a box of the panel offers for each value that the parameter node keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsir.registration.preset_words import TASK_WORDS, WORDS
from slicer.i18n import tr as _

from .parameters import AS_PRESET, Parameters

AS_TASK = _("as the task says")

TASKS = {name: WORDS[name].title for name in ("default", *TASK_WORDS, "fast", "accurate", "paper")}
"""Tasks first, speeds last."""

MODELS = {
    AS_PRESET: AS_TASK,
    "auto": _("as simply as the scans allow"),
    "none": _("not at all"),
    "translation": _("shift"),
    "rigid": _("shift, turn (rigid)"),
    "similarity": _("shift, turn, one size (similarity)"),
    "affine": _("shift, turn, sizes, shear (affine)"),
}

DEFORMATIONS = {
    AS_PRESET: AS_TASK,
    "auto": _("if the scans speak for it"),
    "yes": _("always"),
    "no": _("none"),
}

STARTS = {
    AS_PRESET: AS_TASK,
    "auto": _("wherever it fits best"),
    "identity": _("where the scanners say"),
    "centre": _("centre on centre"),
    "axes": _("long axis on long axis"),
}

DESCRIPTORS = {
    AS_PRESET: AS_TASK,
    "dsir": _("learned structure (DSIR)"),
    "mind": _("self-similarity (MIND-SSC)"),
}


class WordsBox:
    """A combo box that shows words and keeps values, both ways.

    Args:
        box: a QComboBox.
        name: of the parameter.
        words: value to what is shown, in order.
    """

    def __init__(self, box: Any, name: str, words: Mapping[str, str]) -> None:
        self._box, self._name, self._values = box, name, list(words)
        self._parameters: Parameters | None = None
        self._showing = False
        for value, shown in words.items():
            box.addItem(shown, value)
        box.currentIndexChanged.connect(lambda *_args: self._chosen())

    def follow(self, parameters: Parameters | None) -> None:
        """Look at another scene's state."""
        self._parameters = parameters
        self.show()

    def show(self) -> None:
        """What the parameter node holds."""
        if self._parameters is None:
            return
        self._showing = True
        try:
            self._box.setCurrentIndex(self._values.index(getattr(self._parameters, self._name)))
        finally:
            self._showing = False

    def _chosen(self) -> None:
        if self._parameters is not None and not self._showing:
            setattr(self._parameters, self._name, self._values[self._box.currentIndex])


def words_boxes(ui: Any) -> tuple[WordsBox, ...]:
    """Those of the panel."""
    return (
        WordsBox(ui.presetSelector, "preset", TASKS),
        WordsBox(ui.modelSelector, "model", MODELS),
        WordsBox(ui.deformationSelector, "deformation", DEFORMATIONS),
        WordsBox(ui.startSelector, "start", STARTS),
        WordsBox(ui.descriptorSelector, "descriptor", DESCRIPTORS),
    )
