"""Keys for what is done again and again while the module is shown; each presses a button of the panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer.util
from slicer.i18n import tr as _

BUTTONS = {
    "1": ("fixedViewButton", _("fixed")),
    "2": ("warpedViewButton", _("warped")),
    "3": ("bothViewButton", _("both")),
    "4": ("checkerButton", _("checkerboard")),
    "5": ("flickerButton", _("flicker")),
    "Shift+P": ("placeButton", _("place a point")),
    "Shift+A": ("acceptButton", _("accept the pair")),
    "Shift+Z": ("takeBackButton", _("take the last pair back")),
    "Shift+R": ("refineButton", _("refine the result")),
    "Shift+V": ("ownViewsButton", _("my own views")),
}
"""Key to the button it presses, and what that does."""

HELP = "?"


def told() -> str:
    """All of them, in a line."""
    return ", ".join(f"{key}: {words}" for key, (_button, words) in BUTTONS.items())


class Hotkeys:
    """They work from :meth:`enter` to :meth:`exit`; a button that is off stays off.

    Args:
        say: shows the list, when ``?`` is pressed.
    """

    def __init__(self, ui: Any, say: Callable[[str], None]) -> None:
        self._ui, self._say = ui, say
        self._shortcuts: list[Any] = []

    def label(self) -> None:
        """Tell each button's key in its tooltip, once."""
        for key, (name, _words) in BUTTONS.items():
            button = getattr(self._ui, name)
            mark = _(" Key: {key}").format(key=key)
            if not button.toolTip.endswith(mark):
                button.setToolTip(button.toolTip + mark)

    def enter(self) -> None:
        """The module is shown."""
        window = slicer.util.mainWindow()
        if window is None or self._shortcuts:
            return
        for key, (name, _words) in BUTTONS.items():
            self._add(window, key, getattr(self._ui, name).click)
        self._add(window, HELP, lambda: self._say(told()))

    def exit(self) -> None:
        """Another module is shown: the keys are its own."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    def _add(self, window: Any, key: str, press: Callable[[], None]) -> None:
        shortcut = qt.QShortcut(qt.QKeySequence(key), window)
        shortcut.connect("activated()", press)
        self._shortcuts.append(shortcut)
