"""What takes a while: features, a registration, the map of confidence; one at a time, and the page lives on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dsir.errors import DsirError
from trame_server.state import State
from trame_server.utils.asynchronous import create_task

from .jobs import Jobs
from .maps import CONFIDENCE
from .page_state import PageState
from .queries import Queries
from .session import Session
from .status import result_sentence


class Work:
    """Starts it; what it brought is shown when it ends.

    Args:
        lay: lays what is drawn over the scans anew.
        redraw: asks for new pictures.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        shown: PageState,
        queries: Queries,
        lay: Callable[[], None],
        redraw: Callable[[], None],
    ) -> None:
        self.session, self.state, self.shown, self.queries = session, state, shown, queries
        self._lay, self._redraw = lay, redraw
        self.jobs = Jobs(shown.show_progress, shown.say)

    def compute(self) -> None:
        """Compute the features of the chosen descriptor, unless they are there."""
        create_task(self._compute(self.state.dsir_descriptor))

    def register(self, *, refine: bool = False) -> None:
        """Register in a process of its own, or improve the present transform, steered by the pairs."""
        create_task(self._register(refine=refine))

    def judge(self) -> None:
        """Make the map of confidence where it is chosen, there is a result, and it has none yet."""
        result = self.session.result
        missing = self.session.overlays.overlay == CONFIDENCE and CONFIDENCE not in result.maps
        if missing and result.transform is not None and not self.jobs.running:
            create_task(self._judge())

    async def _compute(self, descriptor: str) -> None:
        similarity = self.session.similarity
        if not similarity.ready(descriptor) and not self.jobs.running:
            await self.jobs.run(similarity.compute(descriptor, progress=self.jobs.progress))
        with self.state as state:
            state.dsir_ready = similarity.ready(state.dsir_descriptor)
            if state.dsir_ready and not state.dsir_asked:
                state.dsir_words = "Click into one of the scans."

    async def _register(self, *, refine: bool) -> None:
        descriptor, preset = self.state.dsir_descriptor, self.state.dsir_preset
        work = self.session.register(descriptor, preset, refine=refine, progress=self.jobs.progress)
        report = await self.jobs.run(work)
        if report is None:
            return
        if self.session.similarity.ready(descriptor):
            with contextlib.suppress(DsirError):
                self.session.click_again(descriptor, **self.queries.search)
        self.shown.say(result_sentence(report, "Refined" if refine else "Registered"))
        self.shown.show_result()
        self._redraw()
        self._lay()

    async def _judge(self) -> None:
        descriptor = self.state.dsir_descriptor
        if await self.jobs.run(self.session.result.confidence(descriptor, self.jobs.progress)):
            self._lay()
