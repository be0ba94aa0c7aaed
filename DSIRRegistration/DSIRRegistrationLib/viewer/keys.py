"""Keys of the page, and the words that the page shows for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .overlays import AFTER, BEFORE
from .stencil import CURTAIN, MODES
from .windowing import CHOICES

if TYPE_CHECKING:
    from .app import Viewer

KEYS: tuple[tuple[str, str], ...] = (
    ("↑ ↓", "next slice, previous slice, in the view the mouse is in"),
    ("PageUp PageDown", "five slices"),
    ("+ -", "zoom"),
    ("F", "show the whole scans"),
    ("Space", "before and after, over the fixed scan"),
    ("C", "blend, curtain, checkerboard"),
    ("[ ]", "move the curtain, or the opacity"),
    ("1 - 6", "window: fitting, soft tissue, brain, chest, lung, bone"),
    ("A", "accept the match"),
    ("U, Ctrl+Z", "undo: pairs and results"),
    ("Y, Ctrl+Y", "redo"),
    ("P", "save the picture"),
    ("?", "these keys"),
)
"""What stands on the help card."""

STEPS = {"ArrowUp": 1, "ArrowDown": -1, "PageUp": 5, "PageDown": -5}
"""Slices that a key goes."""

SCRIPT = """
window.addEventListener('keydown', event => {
  const at = event.target, kind = (at.tagName || '').toUpperCase();
  const typing = kind === 'TEXTAREA' || (kind === 'INPUT' && !['checkbox', 'range'].includes(at.type));
  const chosen = ['BUTTON', 'A', 'SELECT'].includes(kind) || at.getAttribute?.('role') === 'slider'
    || at.getAttribute?.('role') === 'combobox' || kind === 'INPUT';
  const moves = ['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', ' ', 'Enter'].includes(event.key);
  if (typing && event.key === 'Enter') at.blur();  // the name is given: keys go to the pictures again
  if (typing || event.altKey || (chosen && moves)) return;
  let key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === 'z') key = event.shiftKey ? 'y' : 'u'; else if (key !== 'y') return;
  }
  const known = ['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', '+', '-', 'f', ' ', '1', '2', '3', '4', '5', '6', 'a',
    'c', '[', ']', 'p', 'u', 'y', '?', 'Escape'];
  if (!known.includes(key)) return;
  event.preventDefault();
  window.trame.trigger('dsir_key', [key]);
}, true);
window.addEventListener('click', event => {  // keys go to the pictures again after a button was pressed by mouse
  if (event.detail > 0) event.target.closest?.('.dsir-page button')?.blur();
});
new MutationObserver(() => {
  const planes = ['axial', 'coronal', 'sagittal'];
  document.querySelectorAll('.dsir-views img').forEach((img, n) => {
    const name = `${n < 3 ? 'Fixed' : 'Moving'} scan, ${planes[n % 3]} slice`;
    if (img.alt !== name) img.alt = name;
  });
  const meta = document.querySelector('meta[name=viewport]');
  if (meta && meta.content.includes('maximum')) meta.content = 'width=device-width,initial-scale=1';
}).observe(document.documentElement, {childList: true, subtree: true});
"""
"""Names the pictures for screen readers, lets touch screens zoom, and sends a key to the session unless somebody types
or a control has the focus that uses it itself."""


class Keys:
    """What each key does to a page."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer

    def press(self, key: str) -> None:
        """One of :data:`KEYS`, as the browser names it."""
        viewer, state, view = self.viewer, self.viewer.state, self.viewer.mouse.under
        if key in STEPS and view is not None:
            view.set_slice_value(view.get_slice_value() + STEPS[key] * view.get_slice_step())
        elif key in ("+", "-") and view is not None:
            view.zoom(0.15 if key == "+" else -0.15)
        with state:
            if key in ("?", "Escape"):
                state.dsir_help = key == "?" and not state.dsir_help
            elif key == " " and state.dsir_transform:
                state.dsir_overlay = BEFORE if state.dsir_overlay == AFTER else AFTER
            elif key == "c":
                state.dsir_mode = MODES[(MODES.index(state.dsir_mode) + 1) % len(MODES)]
            elif key in ("[", "]"):
                what = "dsir_curtain" if state.dsir_mode == CURTAIN else "dsir_opacity"
                state[what] = round(min(max(float(state[what]) + (0.05 if key == "]" else -0.05), 0.0), 1.0), 3)
            elif key.isdigit():
                state.dsir_window = CHOICES[int(key) - 1]
        doings = {"f": viewer.fit, "a": viewer.accept, "u": viewer.undo, "y": viewer.redo, "p": viewer.save_picture}
        if (do := doings.get(key)) is not None and (key != "a" or state.dsir_asked):
            do()
        viewer.redraw()
