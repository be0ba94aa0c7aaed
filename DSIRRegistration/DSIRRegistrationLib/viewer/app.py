"""The page and the session, joined: what the page's controls do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from dsir.errors import DsirError
from trame.app import get_server
from trame_server import Server
from trame_server.utils.asynchronous import create_task
from trame_slicer import module as slicer_module
from trame_slicer.core import SlicerApp
from trame_slicer.rca_view import register_rca_factories

from ..engine_process import Launcher, PythonProcess
from .drag_views import DragViews
from .initial_state import initial_state
from .keys import Keys
from .mouse import Mouse
from .page import Page
from .page_state import PageState
from .queries import Queries
from .saving import save_picture, save_results, save_scene
from .session import Session
from .work import Work

RATE = 30.0
"""Pictures a second that a view may send, whether or not the mouse is in it: the answer to a drag is in the others."""

QUALITY = 90
"""Of JPEG, the same in motion and at rest: writing it takes a thirtieth of drawing it, and drawing twice is spared."""


class Viewer:
    """One page for one pair.

    Args:
        out: the folder that Save writes to.
        descriptor: what to compare by at first.
    """

    def __init__(
        self,
        fixed: Path,
        moving: Path,
        *,
        transform: Path | None = None,
        out: Path,
        descriptor: str,
        server: Server | None = None,
        launch: Launcher = PythonProcess,
    ) -> None:
        self.out = out
        self.server = server or get_server()
        self.server.enable_module(slicer_module)
        self.app = SlicerApp()
        register_rca_factories(
            self.app.view_manager, self.server, slice_view_ui_f=lambda *_: None,
            target_fps=RATE, blur_fps=RATE, interactive_quality=QUALITY, rca_event_throttle_s=0.02,
        )  # fmt: skip
        self.session = Session(self.app, fixed, moving, transform=transform, launch=launch)
        self.state = state = self.server.state
        self.shown = PageState(self.session, state)
        state.update(initial_state(self.session, descriptor))
        self.drag_views = DragViews([side.views for side in self.session.sides.values()])
        self.queries = Queries(self.session, state, moved=self._dragged, answered=self.redraw)
        self.work = Work(self.session, state, self.shown, self.queries, self._overlays, self.redraw)
        self.mouse = Mouse(
            self.session, asked=self.queries.request, over=self._over, hovering=lambda: bool(state.dsir_hover),
            changed=self.redraw,
        )  # fmt: skip
        self.session.overlays.dragged = self._curtain_dragged
        self.page = Page(self.server, self.app, self, self.session.names)
        self.session.similarity.heat.threshold = float(state.dsir_threshold)
        state.change("dsir_threshold")(self._threshold)
        state.change("dsir_opacity", "dsir_overlay", "dsir_mode", "dsir_curtain", "dsir_drawn")(self._overlays)
        state.change("dsir_descriptor")(self._descriptor)
        state.change("dsir_surroundings", "dsir_radius")(self.queries.ask_again)
        state.change("dsir_window")(self._window)
        self.keys = Keys(self)
        self.server.trigger("dsir_key")(self.keys.press)
        self.server.controller.on_server_ready.add(lambda **_: self.compute())
        self.server.controller.on_client_connected.add(lambda **_: create_task(self._fit()))

    def compute(self) -> None:
        """Compute the features of the chosen descriptor, unless they are there."""
        self.work.compute()

    def accept(self) -> None:
        """Keep the last match."""
        self._change(self.session.accept, "Accepted. Click the next point, or refine: the pairs pull.")
        self.state.dsir_asked = False

    def undo(self) -> None:
        """Take the last change of pairs or result back."""
        if self.session.history.can_undo and not self.work.jobs.running:
            self._change(self.session.undo, "Undone.")

    def redo(self) -> None:
        """Do again what was undone."""
        if self.session.history.can_redo and not self.work.jobs.running:
            self._change(self.session.redo, "Done again.")

    def go_to(self, number: int) -> None:
        """Bring the views to a pair."""
        self.session.go_to(number)
        self.redraw()

    def rename(self, number: int, name: str) -> None:
        """Call a pair differently."""
        self._change(lambda: self.session.rename(number, name), "")

    def remove(self, number: int) -> None:
        """Forget a pair."""
        self._change(lambda: self.session.remove(number), "Forgotten; undo brings it back.")

    def register(self) -> None:
        """Register in a process of its own."""
        self.work.register()

    def refine(self) -> None:
        """Improve the present transform, steered by the pairs."""
        self.work.register(refine=True)

    def cancel(self) -> None:
        """End what runs."""
        self.work.jobs.cancel()

    def save_picture(self) -> None:
        """Write what is seen as PNG."""
        words = self.state.dsir_words
        self._save(lambda: f"The picture is {save_picture(self.session, self.out.resolve(), words)}.")

    def save_results(self) -> None:
        """Write pairs and result."""
        folder = self.out.resolve()
        self._save(lambda: f"Saved in {folder}: {', '.join(save_results(self.session, folder))}.")

    def save_scene(self) -> None:
        """Write the whole scene for 3D Slicer."""
        self._save(lambda: f"The scene is {save_scene(self.session, self.out.resolve())}; 3D Slicer opens it.")

    def fit(self) -> None:
        """Show the whole scans."""
        for side in self.session.sides.values():
            side.fit()
        self.redraw()

    def _save(self, do: Callable[[], str]) -> None:
        try:
            self.shown.say(do())
        except DsirError as error:
            self.shown.say(str(error))

    def _change(self, do: Callable[[], Any], words: str) -> None:
        try:
            do()
        except DsirError as error:
            words = str(error)
        if words:
            self.shown.say(words)
        self.shown.show_result()
        self.redraw()

    def _dragged(self) -> None:
        if self.mouse.under is not None:
            self.drag_views.move(self.mouse.under)

    def _over(self, side: str, point: np.ndarray) -> None:
        with self.state as state:
            state.dsir_where = self.session.where(side, point)

    def _window(self, dsir_window: str, **_: object) -> None:
        self.session.window(dsir_window)
        self.redraw()

    async def _fit(self) -> None:
        for _ in range(2):  # the page lays itself out in its own time
            await asyncio.sleep(0.8)
            self.fit()

    def _threshold(self, dsir_threshold: float, **_: object) -> None:
        self.session.similarity.heat.threshold = float(dsir_threshold)
        self.redraw()

    def _overlays(self, **_: object) -> None:
        state, overlays = self.state, self.session.overlays
        overlays.overlay, overlays.mode, overlays.drawn = state.dsir_overlay, state.dsir_mode, state.dsir_drawn
        overlays.opacity, overlays.curtain = float(state.dsir_opacity), float(state.dsir_curtain)
        self.work.judge()
        self.session.lay()
        self.shown.show_legend()
        self.redraw()

    def _curtain_dragged(self, place: float) -> None:
        with self.state as state:
            state.dsir_curtain = round(place, 3)
        self.redraw()

    def _descriptor(self, dsir_descriptor: str, **_: object) -> None:
        self.state.dsir_ready = self.session.similarity.ready(dsir_descriptor)
        if not self.state.dsir_ready and not self.work.jobs.running and self.server.running:
            self.compute()

    def redraw(self) -> None:
        """Ask for new pictures of all views."""
        for side in self.session.sides.values():
            side.redraw()
