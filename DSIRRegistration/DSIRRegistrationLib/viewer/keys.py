"""Keys of the page, and the words that the page shows for them."""

from __future__ import annotations

KEYS: tuple[tuple[str, str], ...] = (
    ("↑ ↓", "next slice, previous slice, in the view the mouse is in"),
    ("PageUp PageDown", "five slices"),
    ("+ -", "zoom"),
    ("F", "show the whole scans"),
    ("Space", "before and after, over the fixed scan"),
    ("1 - 5", "window: fitting, soft tissue, brain, lung, bone"),
    ("A", "accept the match"),
    ("U", "undo the last accepted match"),
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
  if (typing || event.ctrlKey || event.altKey || event.metaKey || (chosen && moves)) return;
  const known = ['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', '+', '-', 'f', 'F', ' ', '1', '2', '3', '4', '5', 'a',
    'A', 'u', 'U', '?', 'Escape'];
  if (!known.includes(event.key)) return;
  event.preventDefault();
  window.trame.trigger('dsir_key', [event.key]);
}, true);
"""
"""Sends a key to the session unless somebody types or a control has the focus that uses it itself."""
