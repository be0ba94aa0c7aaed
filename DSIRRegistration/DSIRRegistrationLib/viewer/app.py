"""The page and the session, joined; and the server that shows it to this machine alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import webbrowser
from functools import partial
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
from trame_slicer.views import SliceView

from .. import worker
from ..nodes.windows import FITTING
from .jobs import Jobs
from .keys import STEPS
from .newest import Newest
from .page import PRESETS, Page
from .pointer import Pointer
from .reload import remember
from .session import AFTER, BEFORE, SIMILARITY, Session
from .windowing import CHOICES, WindowDrag

DESCRIPTORS = ("dsir", "mind", "cnn")
LOOPBACK = "127.0.0.1"

COLOURS = {"PASS": "#4cd187", "CHECK": "#ffb84d", "FAIL": "#ff6b6b"}
"""Of a verdict, on the dark panel."""


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
        launch: worker.Launcher = worker.PythonProcess,
    ) -> None:
        self.out = out
        self.server = server or get_server()
        self.server.enable_module(slicer_module)
        self.app = SlicerApp()
        register_rca_factories(
            self.app.view_manager, self.server, slice_view_ui_f=lambda *_: None, rca_event_throttle_s=0.02
        )
        self.session = Session(self.app, fixed, moving, transform=transform, launch=launch)
        self.jobs = Jobs(self._show_progress, self._say)
        state = self.server.state
        state.trame__title = "DSIR Registration"
        state.trame__favicon = None
        start = {
            "descriptor": descriptor, "descriptors": list(dict.fromkeys((descriptor, *DESCRIPTORS))),
            "threshold": 0.3, "opacity": 0.6, "radius": 0, "follow": True, "hover": False,
            "surroundings": True, "pairs": 0, "asked": False,
            "preset": "default", "presets": list(PRESETS), "busy": False, "stage": "", "percent": 0, "ready": False,
            "overlay": SIMILARITY, "registered": False, "words": "", "missed": "",
            "transform": transform is not None, "where": "", "help": False, "window": FITTING, "windows": list(CHOICES),
            "verdict": "", "reasons": [], "colour": COLOURS["CHECK"],
        }  # fmt: skip
        state.update({f"dsir_{name}": value for name, value in start.items()})
        self._wishes: Newest[tuple[str, np.ndarray]] = Newest(lambda wish: self._asked(*wish))
        self._pointers = [
            Pointer(view, partial(self._wish, name), lambda: bool(state.dsir_hover), partial(self._over, name, view))
            for name, side in self.session.sides.items()
            for view in side.views
        ]
        self._drags = [
            WindowDrag(view, partial(self.session.windowed, name), self._redraw)
            for name, side in self.session.sides.items()
            for view in side.views
        ]
        self._under: tuple[str, SliceView] | None = None
        names = tuple(side.volume.GetName() for side in self.session.sides.values())
        self.page = Page(self.server, self.app, self, names)
        self.session.similarity.heat.threshold = 0.3
        state.change("dsir_threshold")(self._threshold)
        state.change("dsir_opacity", "dsir_overlay")(self._overlay)
        state.change("dsir_descriptor")(self._descriptor)
        state.change("dsir_surroundings", "dsir_radius")(self._ask_again)
        state.change("dsir_window")(self._window)
        self.server.trigger("dsir_key")(self.key)
        self.server.controller.on_server_ready.add(lambda **_: self.compute())
        self.server.controller.on_client_connected.add(lambda **_: create_task(self._fit()))

    def compute(self) -> None:
        """Compute the features of the chosen descriptor, unless they are there."""
        create_task(self._compute(self.server.state.dsir_descriptor))

    def accept(self) -> None:
        """Keep the last match."""
        try:
            self.server.state.dsir_pairs = self.session.accept()
            self._say("Accepted. Click the next point, or refine: the pairs pull.")
        except DsirError as error:
            self._say(str(error))
        self.server.state.dsir_asked = False
        self._pairs_changed()

    def take_back(self) -> None:
        """Remove the last pair."""
        self.server.state.dsir_pairs = self.session.take_back()
        self._pairs_changed()

    def register(self) -> None:
        """Register in a process of its own."""
        create_task(self._register())

    def refine(self) -> None:
        """Improve the present transform, steered by the pairs."""
        create_task(self._register(refine=True))

    def cancel(self) -> None:
        """End what runs."""
        self.jobs.cancel()

    def save(self) -> None:
        """Write pairs and result to the folder."""
        try:
            files = self.session.save(self.out)
            self._say(f"Saved in {self.out.resolve()}: {', '.join(files)}")
        except DsirError as error:
            self._say(str(error))

    def fit(self) -> None:
        """Show the whole scans."""
        for side in self.session.sides.values():
            side.fit()
        self._redraw()

    def key(self, key: str) -> None:
        """What a key of :data:`.keys.KEYS` does."""
        state = self.server.state
        if key in STEPS and self._under is not None:
            view = self._under[1]
            view.set_slice_value(view.get_slice_value() + STEPS[key] * view.get_slice_step())
        elif key in "+-" and self._under is not None:
            self._under[1].zoom(0.15 if key == "+" else -0.15)
        with state:
            if key == "?" or key == "Escape":
                state.dsir_help = key == "?" and not state.dsir_help
            elif key == " " and state.dsir_registered:
                state.dsir_overlay = BEFORE if state.dsir_overlay == AFTER else AFTER
            elif key in "12345":
                state.dsir_window = CHOICES[int(key) - 1]
        doings = {"f": self.fit, "a": self.accept, "u": self.take_back}
        if (do := doings.get(key.lower())) is not None and (key.lower() != "a" or state.dsir_asked):
            do()
        self._redraw()

    def _over(self, side: str, view: SliceView, point: np.ndarray) -> None:
        self._under = (side, view)
        with self.server.state as state:
            state.dsir_where = self.session.where(side, point)

    def _window(self, dsir_window: str, **_: object) -> None:
        self.session.window(dsir_window)
        self._redraw()

    async def _fit(self) -> None:
        for _ in range(2):  # the page lays itself out in its own time
            await asyncio.sleep(0.8)
            for side in self.session.sides.values():
                side.fit()
            self._redraw()

    async def _compute(self, descriptor: str) -> None:
        similarity = self.session.similarity
        if not similarity.ready(descriptor) and not self.jobs.running:
            await self.jobs.run(similarity.compute(descriptor, progress=self.jobs.progress))
        with self.server.state as state:
            state.dsir_ready = similarity.ready(state.dsir_descriptor)
            if state.dsir_ready and not state.dsir_asked:
                state.dsir_words = "Click into one of the images."

    async def _register(self, *, refine: bool = False) -> None:
        state = self.server.state
        work = self.session.register(
            state.dsir_descriptor, state.dsir_preset, refine=refine, progress=self.jobs.progress
        )
        report = await self.jobs.run(work)
        if report is None:
            return
        if self.session.similarity.ready(state.dsir_descriptor):
            with contextlib.suppress(DsirError):
                self.session.click_again(state.dsir_descriptor, **self._search)
        with state:
            state.dsir_registered, state.dsir_transform = True, True
            state.dsir_overlay, state.dsir_asked = self.session.overlay, self.session.last is not None
            state.dsir_words = _said(report, "Refined" if refine else "Registered")
            verdict = report.get("verdict") or {}
            state.dsir_verdict, state.dsir_colour = verdict.get("level", ""), COLOURS.get(verdict.get("level"), "#fff")
            state.dsir_reasons = [reason["text"] for reason in verdict.get("reasons", ())]
        self._pairs_changed()

    def _pairs_changed(self) -> None:
        missed = self.session.missed
        self.server.state.dsir_missed = "" if missed is None else f", {missed:.1f} mm apart"
        self._redraw()

    def _wish(self, side: str, point: np.ndarray) -> None:
        self._wishes.wish((side, point))

    def _asked(self, side: str, point: np.ndarray) -> None:
        with self.server.state as state:
            try:
                shown = self.session.click(side, point, state.dsir_descriptor, follow=state.dsir_follow, **self._search)
                state.dsir_words, state.dsir_asked = shown.sentence[:1].upper() + shown.sentence[1:], True
            except DsirError as error:
                state.dsir_words = str(error)
        self._redraw()

    @property
    def _search(self) -> dict[str, Any]:
        """How the page wants a point to be looked for."""
        state = self.server.state
        return {"radius": state.dsir_radius or None, "alone": not state.dsir_surroundings}

    def _ask_again(self, **_: object) -> None:
        if self.session.asked is not None and self.session.similarity.ready(self.server.state.dsir_descriptor):
            self._asked(*self.session.asked)

    def _threshold(self, dsir_threshold: float, **_: object) -> None:
        self.session.similarity.heat.threshold = dsir_threshold
        self._redraw()

    def _overlay(self, dsir_opacity: float, dsir_overlay: str, **_: object) -> None:
        self.session.opacity, self.session.overlay = float(dsir_opacity), dsir_overlay
        self.session.lay()
        self._redraw()

    def _descriptor(self, dsir_descriptor: str, **_: object) -> None:
        self.server.state.dsir_ready = self.session.similarity.ready(dsir_descriptor)
        if not self.server.state.dsir_ready and not self.jobs.running and self.server.running:
            self.compute()

    def _redraw(self) -> None:
        for side in self.session.sides.values():
            side.redraw()

    def _show_progress(self, stage: str, fraction: float) -> None:
        with self.server.state as state:
            state.dsir_busy, state.dsir_stage, state.dsir_percent = bool(stage), stage, round(100 * fraction)

    def _say(self, sentence: str) -> None:
        with self.server.state as state:
            state.dsir_words = sentence


def _said(report: dict[str, Any], done: str) -> str:
    """What came of a registration, in one line."""
    words = [f"{done}: {report.get('folds', 0)} folds"]
    similar, pairs = report.get("similarity") or {}, report.get("landmarks")
    if {"start", "end"} <= set(similar):
        words.append(f"similarity {similar['start']:.2f} before, {similar['end']:.2f} after")
    if pairs:
        words.append(f"pairs {pairs['before']['mean_mm']:.1f} → {pairs['after']['mean_mm']:.1f} mm")
    return ", ".join(words) + "."


def serve(viewer: Viewer, *, port: int = 0, browser: bool = True) -> None:
    """Show the page to this machine until Ctrl-C: loopback alone, a free port, and a token that changes each time."""
    token = secrets.token_urlsafe(24)
    sys.argv = sys.argv[:1]  # trame reads the command line too, and knows other words
    server = viewer.server
    server.cli.set_defaults(authKey=token)

    def ended(*_: object) -> None:
        viewer.jobs.end()
        viewer.session.close()
        os._exit(0)  # open pages and their views would hold an orderly end back for half a minute

    def ready(**_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ended)
        address = f"http://{LOOPBACK}:{server.port}/index.html?secret={token}"
        print(f"The viewer is at {address}\nCtrl-C ends it.", flush=True)
        if browser:
            webbrowser.open(address)

    server.controller.on_server_ready.add(ready)
    server.controller.on_server_bind.add(partial(remember, token=token))
    server.start(port=port, host=LOOPBACK, open_browser=False, show_connection_info=False, disable_logging=True)
    viewer.session.close()
