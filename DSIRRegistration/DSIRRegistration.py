"""The face of the module in 3D Slicer: its names, its panel, its programming interface, its test."""

from __future__ import annotations

import slicer
import slicer.util
from DSIRRegistrationLib.logic import RegistrationLogic
from DSIRRegistrationLib.sampledata import register_sample_data
from DSIRRegistrationLib.selftest import TutorialTest
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

HELP = """
<p>Finds where each point of a <b>fixed</b> scan lies in a <b>moving</b> scan, whatever their modalities (CT, MR, ...),
and propagates segmentations, points and surfaces. The scans are compared by a deep structural representation (DSIR)
that is learned without labels and without aligned pairs.</p>
<p>Choose the two scans and press Apply; nothing need be aligned beforehand. The result is a transform and the moving
scan on the fixed scan's voxels; look at the quality section before you use either.</p>
<p>For research; not a medical device.</p>
"""

THANKS = """
<p>The method is that of Mok et al., Modality-Agnostic Structural Image Representation Learning for Deformable
Multi-Modality Medical Image Registration, CVPR 2024.</p>
"""


class DSIRRegistration(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened; imports nothing heavy."""

    def __init__(self, parent) -> None:
        super().__init__(parent)
        parent.title = _("DSIR Registration")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        parent.dependencies = []
        parent.contributors = ["DSIR Registration maintainers"]
        parent.helpText = _(HELP)
        parent.acknowledgementText = _(THANKS)
        slicer.app.connect("startupCompleted()", register_sample_data)


class DSIRRegistrationWidget(ScriptedLoadableModuleWidget):
    """Loads the panel and passes Slicer's calls on to it."""

    panel = None  # the base class may call setup before an __init__ here would be done

    def setup(self) -> None:
        """Build the panel from the file of Qt Designer."""
        from DSIRRegistrationLib.widget import Panel

        super().setup()
        widget = slicer.util.loadUI(self.resourcePath("UI/DSIRRegistration.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = DSIRRegistrationLogic()
        self.panel = Panel(self.ui, self.logic, self.logic.getParameterNode)
        self.panel.enter()

    def enter(self) -> None:
        """The module is shown."""
        self.panel.enter()

    def exit(self) -> None:
        """Another module is shown."""
        self.panel.exit()

    def cleanup(self) -> None:
        """The module goes away."""
        if self.panel is not None:
            self.panel.cleanup()


class DSIRRegistrationLogic(ScriptedLoadableModuleLogic, RegistrationLogic):
    """Nodes in, nodes out; see :class:`DSIRRegistrationLib.logic.RegistrationLogic`."""

    def __init__(self, *engine) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        RegistrationLogic.__init__(self, *engine)


class DSIRRegistrationTest(ScriptedLoadableModuleTest, TutorialTest):
    """Runs in the real application: Reload and Test, or ctest."""

    def setUp(self) -> None:
        """An empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """All of them."""
        for test in (
            self.test_a_pair_is_registered,
            self.test_the_panel_registers,
            self.test_the_tutorial_can_be_walked,
        ):
            self.setUp()
            test()
