"""Work of the panel, stepped from a timer: its progress, its end, and the sentence that is left of it."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import qt
from dsir.errors import Cancelled, DsirError
from slicer.i18n import tr as _

from .run import Run

TICK = 50
"""Milliseconds between two looks at a working engine."""

COLOURS = {"stop": "#c62828", "look": "#b26a00", "info": "gray", "done": "#2e7d32"}


class Runner:
    """One piece of work at a time, with progress bar, message and log.

    Args:
        changed: called when a piece of work begins and when it has ended.

    Attributes:
        run: what is under way.
    """

    def __init__(self, ui: Any, changed: Callable[[], None]) -> None:
        self.ui, self._changed = ui, changed
        self.run: Run | None = None
        self._done: Callable[[Any], str] | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._tick)

    def stop(self) -> None:
        """The panel goes: no further step."""
        self._timer.stop()

    def start(self, begin: Callable[[Callable[..., None]], Run], done: Callable[[Any], str] | str) -> None:
        """Begin a piece of work and step it from the timer.

        Args:
            done: what is said at the end, or what makes that of the result.
        """
        if self.run is not None:
            return
        self.message("")
        self._progress("", 0.0, _("starting"))
        self.run, self._done = begin(self._progress), done if callable(done) else lambda _result: done
        self._changed()
        self._timer.start()

    def cancel(self) -> None:
        """End the run now; the scene stays as it was."""
        if self.run is None:
            return
        run = self._end()
        run.cancel()
        self.message(_("Cancelled; nothing was changed."), "info")
        self._changed()

    def message(self, text: str, level: str = "info", log: str = "") -> None:
        """Say a sentence; ``log`` is the engine's own, for whoever looks closer."""
        self.ui.messageLabel.setText(f"<span style='color:{COLOURS[level]}'>{html.escape(text)}</span>" if text else "")
        self.ui.messageLabel.setVisible(bool(text))
        self.ui.logText.setPlainText(log)
        self.ui.logSection.setVisible(bool(log))

    def _tick(self) -> None:
        if self.run is None:
            self._timer.stop()
            return
        try:
            if not self.run.step():
                self._timer.setInterval(TICK if self.run.waiting else 0)  # 0: as soon as the views have been drawn
                return
        except Cancelled as stopped:
            self._end()
            self.message(str(stopped), "info")
        except DsirError as error:
            self._end()
            self.message(str(error), "stop", getattr(error, "log", ""))
        except Exception as error:
            self._end()
            self.message(_("Something went wrong in the panel: {error}").format(error=error), "stop")
            raise
        else:
            done, run = self._done, self._end()
            self.message(done(run.result), "done")
        self._changed()

    def _end(self) -> Run:
        self._timer.stop()
        run, self.run = self.run, None
        return run

    def _progress(self, stage: str, fraction: float, message: str) -> None:
        self.ui.progressBar.setValue(round(1000 * fraction))
        self.ui.progressBar.setFormat(f"{100 * fraction:.0f} %")
        self.ui.stageLabel.setText(f"{stage}: {message}" if stage else message)
