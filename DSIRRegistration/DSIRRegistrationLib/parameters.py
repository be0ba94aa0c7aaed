"""What the panel remembers: typed, kept in the scene, saved and loaded with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Union

import slicer
from dsir.cli import options
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from .task import Mask, Task

AS_PRESET = "as the preset"
PRESETS = ("default", "fast", "accurate", "paper", *options.TASKS)
DESCRIPTORS = (AS_PRESET, "dsir", "mind")
STARTS = (AS_PRESET, "auto", "identity", "centre", "axes")
MODELS = (AS_PRESET, *options.MODELS)
DEFORMATIONS = {"auto": None, "yes": True, "no": False}
"""What the panel's choice is to the engine."""

DEVICES = options.DEVICES

SECOND_SEARCH = 12.0
"""mm; what the second, finer search of the discrete stage looks for on top of the first."""

STRUCTURES = "structures"
"""Role of the node references to what is to be carried along."""


@parameterNodeWrapper
class Parameters:
    """The panel's state.

    Attributes:
        fixedSegment, movingSegment: IDs, where the mask is a segmentation.
        rigidOnly: shift and turn, whatever else is said below.
        spacing, capture: mm; 0 leaves them to the preset.
        threads: 0 leaves them to the engine.
        differentPatients: the scans may be of two persons.
        changes: of single settings, by their full names, as JSON.
        transform, warped, jacobian, confidence: where the results go; new nodes where empty.
        fixedPairs, movingPairs: accepted (or placed) points that belong together; they steer every run.
    """

    fixed: slicer.vtkMRMLScalarVolumeNode
    moving: slicer.vtkMRMLScalarVolumeNode
    fixedMask: Union[slicer.vtkMRMLLabelMapVolumeNode, slicer.vtkMRMLSegmentationNode, None]  # noqa: UP007 - Slicer's way
    movingMask: Union[slicer.vtkMRMLLabelMapVolumeNode, slicer.vtkMRMLSegmentationNode, None]  # noqa: UP007
    fixedSegment: str
    movingSegment: str
    initial: slicer.vtkMRMLTransformNode
    preset: Annotated[str, Choice(list(PRESETS))] = "default"
    rigidOnly: bool = False
    descriptor: Annotated[str, Choice(list(DESCRIPTORS))] = AS_PRESET
    start: Annotated[str, Choice(list(STARTS))] = AS_PRESET
    model: Annotated[str, Choice(list(MODELS))] = AS_PRESET
    deformation: Annotated[str, Choice([AS_PRESET, *DEFORMATIONS])] = AS_PRESET
    spacing: Annotated[float, WithinRange(0.0, 10.0)] = 0.0
    capture: Annotated[float, WithinRange(0.0, 150.0)] = 0.0
    device: Annotated[str, Choice(list(DEVICES))] = "auto"
    threads: Annotated[int, WithinRange(0, 256)] = 0
    seed: Annotated[int, WithinRange(0, 999999)] = 0
    changes: str = ""
    differentPatients: bool = False
    transform: slicer.vtkMRMLTransformNode
    warped: slicer.vtkMRMLScalarVolumeNode
    jacobian: slicer.vtkMRMLScalarVolumeNode
    withJacobian: bool = False
    confidence: slicer.vtkMRMLScalarVolumeNode
    withConfidence: bool = False
    applyToMoving: bool = False
    fixedSegmentation: slicer.vtkMRMLSegmentationNode
    movingSegmentation: slicer.vtkMRMLSegmentationNode
    fixedLandmarks: slicer.vtkMRMLMarkupsFiducialNode
    movingLandmarks: slicer.vtkMRMLMarkupsFiducialNode
    fixedPairs: slicer.vtkMRMLMarkupsFiducialNode
    movingPairs: slicer.vtkMRMLMarkupsFiducialNode

    if TYPE_CHECKING:  # what Slicer's wrapper adds
        parameterNode: Any

        def __init__(self, node: Any) -> None: ...
        def connectGui(self, ui: Any) -> Any: ...
        def disconnectGui(self, tag: Any) -> None: ...


def structures(parameters: Parameters) -> tuple[slicer.vtkMRMLNode, ...]:
    """What is to be carried along, in order."""
    node = parameters.parameterNode
    found = [node.GetNthNodeReference(STRUCTURES, n) for n in range(node.GetNumberOfNodeReferences(STRUCTURES))]
    return tuple(n for n in found if n is not None)


def set_structures(parameters: Parameters, nodes: list[slicer.vtkMRMLNode]) -> None:
    """Remember what is to be carried along."""
    if list(structures(parameters)) == list(nodes):
        return
    with slicer.util.NodeModify(parameters.parameterNode):
        parameters.parameterNode.RemoveNodeReferenceIDs(STRUCTURES)
        for node in nodes:
            parameters.parameterNode.AddNodeReferenceID(STRUCTURES, node.GetID())


def settings(parameters: Parameters) -> dict[str, Any]:
    """Changes on top of the preset, named as in ``report.json``."""
    changes: dict[str, Any] = {"device": parameters.device, "threads": parameters.threads, "seed": parameters.seed}
    if parameters.descriptor != AS_PRESET:
        changes["descriptor"] = parameters.descriptor
    if parameters.spacing > 0:
        changes["spacing"] = parameters.spacing
    if parameters.capture > 0:
        changes["discrete"] = {"captures": [parameters.capture, min(parameters.capture, SECOND_SEARCH)]}
    if parameters.deformation != AS_PRESET:
        changes["deformable"] = DEFORMATIONS[parameters.deformation]
    linear = {"start": parameters.start, "model": parameters.model}
    if parameters.rigidOnly:
        changes["deformable"], linear["model"] = False, "rigid"
    linear = {name: value for name, value in linear.items() if value != AS_PRESET}
    return changes | ({"linear": linear} if linear else {})


def single_changes(parameters: Parameters) -> dict[str, Any]:
    """Full name to value of every setting that was changed by itself."""
    return dict(json.loads(parameters.changes)) if parameters.changes else {}


def set_single_changes(parameters: Parameters, changes: dict[str, Any]) -> None:
    """Remember them."""
    parameters.changes = json.dumps(changes) if changes else ""


def pairs(parameters: Parameters) -> tuple[slicer.vtkMRMLMarkupsFiducialNode, ...] | None:
    """Both nodes of pairs, where there is a point in one of them."""
    nodes = (parameters.fixedPairs, parameters.movingPairs)
    return nodes if all(nodes) and any(node.GetNumberOfControlPoints() for node in nodes) else None


def task(parameters: Parameters, *, refine: bool = False) -> Task:
    """What Apply would do, or Refine."""
    return Task(
        fixed=parameters.fixed,
        moving=parameters.moving,
        preset=parameters.preset,
        settings=settings(parameters),
        fixed_mask=_mask(parameters.fixedMask, parameters.fixedSegment),
        moving_mask=_mask(parameters.movingMask, parameters.movingSegment),
        initial=parameters.initial,
        structures=structures(parameters),
        transform=parameters.transform,
        warped=parameters.warped,
        jacobian=parameters.jacobian,
        with_jacobian=parameters.withJacobian,
        confidence=parameters.confidence,
        with_confidence=parameters.withConfidence,
        pairs=pairs(parameters),
        refine=parameters.transform if refine else None,
        assignments=tuple(f"{key}={json.dumps(value)}" for key, value in single_changes(parameters).items()),
        different_patients=parameters.differentPatients,
    )


def _mask(node: slicer.vtkMRMLNode | None, segment: str) -> Mask | None:
    return None if node is None else Mask(node, segment)
