"""What is tested in the real application, where no test outside can reach."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util

from .logic import RegistrationLogic
from .tutorial import STEPS, Tutorial

SHAPE = (48, 44, 40)
"""Of the two small scans, (I, J, K) voxels of 4 mm."""

PATIENCE = 600
"""Seconds that the panel's run may take."""


if TYPE_CHECKING:
    from unittest import TestCase
else:
    TestCase = object  # mixed into Slicer's own test class


class TutorialTest(TestCase):
    """Two small scans of one body, the second in the opposite contrast and 6 mm aside."""

    def test_a_pair_is_registered(self) -> None:
        """The logic finds the shift, in a real engine process."""
        fixed, moving = self.scans()
        made = RegistrationLogic().register(fixed, moving, settings="fast")
        point = np.array([0.0, 0.0, 0.0])
        there = np.array(made.transform.GetTransformFromParent().TransformPoint(*point))
        self.assertLess(np.linalg.norm(there - [6, 0, 0]), 2.0)
        self.assertEqual(slicer.util.arrayFromVolume(made.warped).shape, slicer.util.arrayFromVolume(fixed).shape)

    def test_the_panel_registers(self) -> None:
        """Choosing two scans and pressing Apply ends with a result, and the application stays alive meanwhile."""
        fixed, moving = self.scans()
        slicer.util.selectModule("DSIRRegistration")
        panel = slicer.modules.DSIRRegistrationWidget.panel
        panel.parameters.fixed, panel.parameters.moving, panel.parameters.preset = fixed, moving, "fast"
        self.assertTrue(panel.ui.applyButton.enabled, panel.ui.applyButton.toolTip)
        panel.ui.applyButton.click()
        end = time.monotonic() + PATIENCE
        while panel.run is not None and time.monotonic() < end:
            slicer.app.processEvents()
        self.assertIsNotNone(panel.parameters.transform, panel.ui.messageLabel.text)

    def test_the_tutorial_can_be_walked(self) -> None:
        """Every step of Docs/tutorial.md, on Slicer's own CT and MR of a head."""
        slicer.util.selectModule("DSIRRegistration")
        Tutorial(slicer.modules.DSIRRegistrationWidget.panel, done=self.delayDisplayed).walk()

    def delayDisplayed(self, number: int) -> None:
        """Say in the application which step is done."""
        if hasattr(self, "delayDisplay"):
            self.delayDisplay(f"{number}. {STEPS[number - 1][0]}", 100)

    def scans(self) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode]:
        """Fixed and moving: a body full of structure, bright where the other is dark, each with its own noise.

        The same noise in both would say, and rightly, that nothing moved.
        """
        index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
        nodes = []
        for name, shift, contrast in (("fixed", 0.0, 40.0), ("moving", 6.0, -60.0)):
            x, y, z = np.moveaxis((index - (np.array(SHAPE) - 1) / 2) * 4.0 - [shift, 0, 0], -1, 0)
            body = (x / 75) ** 2 + (y / 65) ** 2 + (z / 60) ** 2 < 1
            waves = np.sin(x / 9) + np.sin(y / 11) + np.sin(z / 8) + np.sin((x + 2 * y - z) / 17)
            values = np.where(body, 400 + contrast * waves, 0) + np.random.default_rng(int(shift)).normal(0, 2, SHAPE)
            node = slicer.util.addVolumeFromArray(values.transpose(2, 1, 0).astype(np.float32), name=name)
            node.SetSpacing(4, 4, 4)
            node.SetOrigin(*(-(np.array(SHAPE) - 1) / 2 * 4.0))
            nodes.append(node)
        return tuple(nodes)
