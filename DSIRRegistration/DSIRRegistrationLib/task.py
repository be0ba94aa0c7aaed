"""What is asked of a registration in nodes, and the nodes that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import slicer

from .nodes.volumes import is_below


@dataclass(frozen=True, eq=False)
class Mask:
    """Where to look in a scan.

    Attributes:
        node: a label map volume (above zero) or a segmentation.
        segment: the segment's ID; only for a segmentation.
    """

    node: slicer.vtkMRMLNode
    segment: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """What to register, and where to put the result.

    Attributes:
        settings: JSON-ready changes on top of the preset, named as in ``report.json``.
        structures: segmentations, label maps, markups and models on the moving scan that are to be propagated.
        transform, warped, jacobian: nodes to overwrite; new ones where there are none.
        with_jacobian: whether to make the map of Jacobian determinants.
        with_confidence: whether to make the map of where the result can be trusted; ``confidence`` is overwritten.
        pairs: markups nodes of the fixed and the moving scan, point by point: soft constraints, and a start.
        refine: a result to improve in the place of a search; ``initial`` is in it already and is passed over.
        assignments: more changes, each as ``--set`` takes it: ``"descent.levels.0.iterations=8"``.
        different_patients: the nodes may be of two persons; else DICOM that says so stops the run.
    """

    fixed: slicer.vtkMRMLScalarVolumeNode
    moving: slicer.vtkMRMLScalarVolumeNode
    preset: str = "default"
    settings: dict[str, Any] = field(default_factory=dict)
    fixed_mask: Mask | None = None
    moving_mask: Mask | None = None
    initial: slicer.vtkMRMLTransformNode | None = None
    structures: tuple[slicer.vtkMRMLDisplayableNode, ...] = ()
    transform: slicer.vtkMRMLTransformNode | None = None
    warped: slicer.vtkMRMLScalarVolumeNode | None = None
    jacobian: slicer.vtkMRMLScalarVolumeNode | None = None
    with_jacobian: bool = False
    confidence: slicer.vtkMRMLScalarVolumeNode | None = None
    with_confidence: bool = False
    pairs: tuple[slicer.vtkMRMLMarkupsNode, slicer.vtkMRMLMarkupsNode] | None = None
    refine: slicer.vtkMRMLTransformNode | None = None
    assignments: tuple[str, ...] = ()
    different_patients: bool = False

    @property
    def people(self) -> tuple[slicer.vtkMRMLNode, ...]:
        """What must be of one person: both scans, and the structures."""
        return (self.fixed, self.moving, *self.structures)

    @property
    def result_above(self) -> slicer.vtkMRMLTransformNode | None:
        """The former result that this one replaces, where the moving scan hangs below it."""
        return self.transform if is_below(self.moving, self.transform) else None


@dataclass(frozen=True, eq=False)
class Registered:
    """The nodes a registration made.

    Attributes:
        transform: fixed to moving is its direction *from* parent: applied to the moving scan it brings it onto fixed.
        warped: the moving scan on the fixed scan's voxels.
        jacobian: determinant of the mapping's Jacobian on the same voxels, or None.
        structures: the propagated clones, in the order they were given.
        confidence: chance that the result is within 4 mm of the truth, on voxels of about 4 mm, or None.
        report: as ``report.json``.
    """

    transform: slicer.vtkMRMLTransformNode
    warped: slicer.vtkMRMLScalarVolumeNode
    jacobian: slicer.vtkMRMLScalarVolumeNode | None
    structures: tuple[slicer.vtkMRMLDisplayableNode, ...]
    report: dict[str, Any]
    confidence: slicer.vtkMRMLScalarVolumeNode | None = None
