"""The panel: what the user chose, what stands in the way, and what is shown of a result. The work is the logic's."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from dsir.registration.preset_words import WORDS
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from . import dependencies, parameters, preflight
from .choices import words_boxes
from .hotkeys import Hotkeys
from .logic import RegistrationLogic
from .node_boxes import NodeBoxes
from .nodes.volumes import hang_below
from .nodes.vtk_transforms import make_linear
from .parameters import Parameters
from .quality import REPORT
from .review import Review
from .run import Run
from .runner import COLOURS, Runner
from .settings_section import SettingsSection
from .similarity_section import SimilaritySection
from .task import Registered


class Panel(VTKObservationMixin):
    """The module's widgets and their state.

    Args:
        ui: the widgets of ``DSIRRegistration.ui`` by name.
        node: gives the module's parameter node in the current scene.
    """

    def __init__(self, ui: Any, logic: RegistrationLogic, node: Callable[[], slicer.vtkMRMLScriptedModuleNode]) -> None:
        super().__init__()
        self.ui, self.logic, self._node = ui, logic, node
        self.parameters: Parameters | None = None
        self._gui = None
        self.work = Runner(ui, self._refresh)
        self._stopped = False  # the last registration made nothing
        self._filling = False
        self.review = Review(ui, logic, self.work.start, lambda: self.similarity.own_views())
        self.similarity = SimilaritySection(ui, logic, self.work.start, self.refine)
        self.settings = SettingsSection(ui, logic, self.work.start)
        self._boxes, self._nodes = words_boxes(ui), NodeBoxes(ui, self._chosen)
        self.hotkeys = Hotkeys(ui, self.work.message)
        self.hotkeys.label()
        ui.applyButton.clicked.connect(lambda *_args: self.apply())
        ui.cancelButton.clicked.connect(lambda *_args: self.work.cancel())
        ui.installButton.clicked.connect(lambda *_args: self.install())
        scene = slicer.mrmlScene
        self.work.message("")
        self.addObserver(scene, scene.StartCloseEvent, self._scene_closing)
        self.addObserver(scene, scene.EndCloseEvent, self._scene_changed)
        self.addObserver(scene, scene.EndImportEvent, self._scene_changed)
        self.addObserver(scene, scene.StartSaveEvent, lambda *_args: self.similarity.own_views())  # theirs is saved

    @property
    def run(self) -> Run | None:
        """What is under way."""
        return self.work.run

    # -- life ----------------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """The user comes to the module: follow the scene's parameter node."""
        self._follow(Parameters(self._node()))
        self.hotkeys.enter()

    def exit(self) -> None:
        """The user leaves the module; a run goes on."""
        self.hotkeys.exit()
        self.review.views.stop()
        self._follow(None)

    def cleanup(self) -> None:
        """The application closes or the module is reloaded."""
        self.work.cancel()
        self.exit()
        self.removeObservers()
        self.work.stop()

    def _follow(self, new: Parameters | None) -> None:
        if self.parameters is not None:
            self.parameters.disconnectGui(self._gui)
            self.removeObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._changed)
        self.parameters = new
        self.review.set_parameters(new)
        self.similarity.set_parameters(new)
        self.settings.parameters = new
        for box in self._boxes:
            box.follow(new)
        if new is not None:
            self._gui = new.connectGui(self.ui)
            self.addObserver(new.parameterNode, vtk.vtkCommand.ModifiedEvent, self._changed)
            self._changed()

    def _scene_closing(self, caller: Any, event: str) -> None:
        self.work.cancel()
        self.review.views.stop()
        self._follow(None)

    def _scene_changed(self, caller: Any, event: str) -> None:
        for node in slicer.util.getNodesByClass("vtkMRMLTransformNode"):
            if node.GetAttribute(REPORT):
                make_linear(node.GetTransformFromParent())  # a loaded scene forgets it
        self.work.message("")
        if self._visible():
            self.enter()

    def _visible(self) -> bool:
        return bool(self.ui.applyButton.visible)

    # -- state ---------------------------------------------------------------------------------------------------------

    def _changed(self, caller: Any = None, event: str = "") -> None:
        """Anything in the parameter node changed."""
        if self.parameters is None or self._filling:
            return
        self._filling = True
        try:
            for box in self._boxes:
                box.show()
            self._nodes.show(self.parameters)
        finally:
            self._filling = False
        self._refresh()

    def _chosen(self) -> Parameters | None:
        """Where a choice of the user goes; nowhere while the boxes are being filled."""
        return None if self._filling else self.parameters

    def _refresh(self) -> None:
        """Say what stands in the way, and switch the buttons accordingly."""
        if self.parameters is None:
            return
        missing, running = dependencies.missing(), self.run is not None
        self.ui.taskReasonLabel.setText(WORDS[self.parameters.preset].whole)
        for box in (self.ui.modelSelector, self.ui.deformationSelector):
            box.setEnabled(not self.parameters.rigidOnly)
        found = preflight.check(parameters.task(self.parameters), missing)
        stops = [f.text for f in found if f.level == "stop"]
        colours = [COLOURS["info" if f.code == preflight.UNCHOSEN else f.level] for f in found]
        lines = [f"<span style='color:{c}'>{html.escape(f.text)}</span>" for c, f in zip(colours, found, strict=True)]
        self.ui.preflightLabel.setText("<br/>".join(lines))
        two = self.parameters.differentPatients or any(f.code == preflight.PERSONS for f in found)
        self.ui.differentPatientsCheck.setVisible(two)
        self.ui.preflightLabel.setVisible(bool(lines) and not running)
        self.ui.installButton.setVisible(bool(missing))
        self.ui.applyButton.setEnabled(not stops and not running)
        self.ui.applyButton.setToolTip(
            _("A run is under way.") if running else " ".join(stops) or _("Register the moving scan to the fixed one.")
        )
        self.ui.cancelButton.setEnabled(running)
        self.ui.progressBar.setVisible(running)
        self.ui.stageLabel.setVisible(running)
        for section in (self.ui.scansSection, self.ui.startSection, self.ui.resultSection, self.ui.advancedSection):
            section.setEnabled(not running)
        self.review.refresh(busy=running, stopped=self._stopped)
        self.similarity.refresh(busy=running, able=not missing)
        self.settings.refresh(busy=running, able=not missing)

    # -- running -------------------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Register what is chosen."""
        task = parameters.task(self.parameters)
        self._stopped = True  # until what it makes is there
        self.work.start(lambda progress: self.logic.start(task, progress), self._registered)

    def refine(self) -> None:
        """Improve the present result, steered by the pairs; ends where the last click was, with its new answer."""
        task = parameters.task(self.parameters, refine=True)
        self.work.start(lambda progress: self.logic.start(task, progress), self._refined)

    def _registered(self, made: Registered) -> str:
        """Show the result."""
        self._stopped = False
        self._keep(made)
        self._shown(made)
        propagated = _(" Structures propagated: {n}.").format(n=len(made.structures)) if made.structures else ""
        return _("Done.") + propagated

    def _keep(self, made: Registered) -> None:
        """Keep the nodes of a result for the next run."""
        p = self.parameters or Parameters(self._node())
        with slicer.util.NodeModify(p.parameterNode):
            p.transform, p.warped = made.transform, made.warped
            if made.jacobian is not None:
                p.jacobian = made.jacobian
            if made.confidence is not None:
                p.confidence = made.confidence
        if p.applyToMoving:
            hang_below(p.moving, made.transform)

    def _shown(self, made: Registered) -> None:
        self.ui.qualitySection.collapsed = False
        if self.parameters is not None:
            self.review.views.fit_windows()
            self.review.views.show(0.5)

    def _refined(self, made: Registered) -> str:
        """Show the result under the last click, or as after any run."""
        self._keep(made)
        if not self.similarity.ask_again():
            self._shown(made)
        found = made.report.get("landmarks")
        if not found:
            return _("Refined.")
        before, after = found["before"]["mean_mm"], found["after"]["mean_mm"]
        return _("Refined: pairs {before:.1f} → {after:.1f} mm.").format(before=before, after=after)

    def install(self) -> None:
        """Install what is missing, after asking."""
        with slicer.util.tryWithErrorDisplay(_("Installing failed."), waitCursor=True):
            try:
                if not dependencies.install():
                    self.work.message(_("Nothing was installed, or a restart of Slicer is needed."), "info")
            except DsirError as error:
                self.work.message(str(error), "stop")
        self._refresh()
