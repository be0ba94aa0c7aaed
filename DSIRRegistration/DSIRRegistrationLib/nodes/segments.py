"""Segmentations: segments as label layers in their own voxels, and labels of the fixed grid as segments again.

Slicer crops a labelmap-sourced segmentation that is hardened or exported through a non-linear transform where its
geometry is oblique (measured: 9 to 24 % of the voxels lost), so labels are pulled through the field by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice

from .oriented_images import affine_of, oriented, voxels_in
from .volumes import lattice_of, matrix_to_world

BINARY = "Binary labelmap"


@dataclass(frozen=True, eq=False)
class Layer:
    """Segments that do not overlap, as one label map.

    Attributes:
        labels: (I, J, K) int16; value n + 1 is ``segments[n]``.
        lattice: where they lie in the world.
        segments: segment IDs.
    """

    labels: np.ndarray
    lattice: Lattice
    segments: tuple[str, ...]


def segment_mask(
    node: slicer.vtkMRMLSegmentationNode, segment: str, reference: slicer.vtkMRMLScalarVolumeNode | None
) -> tuple[np.ndarray, Lattice]:
    """One segment, (I, J, K) bool in its own voxels.

    Raises:
        DsirError: there is no such segment, or it is empty.
    """
    images = _images(node, [segment], reference)
    values, lattice = images[segment]
    if not values.any():
        raise DsirError(f"The segment {_name(node, segment)} of {node.GetName()} is empty.")
    return values, lattice


def layers(
    node: slicer.vtkMRMLSegmentationNode,
    reference: slicer.vtkMRMLScalarVolumeNode | None,
    segments: Iterable[str] | None = None,
) -> list[Layer]:
    """The segments as few label maps as their overlaps allow; empty ones are left out.

    Args:
        reference: the volume in whose voxels closed surfaces are filled, where there is no label map yet; voxels that
            Slicer chooses by their size where it is None.
        segments: IDs; all by default.
    """
    ids = list(segments) if segments is not None else list(node.GetSegmentation().GetSegmentIDs())
    found: list[Layer] = []
    for segment, (values, lattice) in _images(node, ids, reference).items():
        if not values.any():
            continue
        for number, layer in enumerate(found):
            if layer.lattice.matches(lattice) and not layer.labels[values].any():
                layer.labels[values] = len(layer.segments) + 1
                found[number] = Layer(layer.labels, layer.lattice, (*layer.segments, segment))
                break
        else:
            found.append(Layer(values.astype(np.int16), lattice, (segment,)))
    return found


def place_segmentation(
    source: slicer.vtkMRMLSegmentationNode,
    masks: Mapping[str, np.ndarray],
    fixed: slicer.vtkMRMLScalarVolumeNode,
    *,
    name: str,
) -> slicer.vtkMRMLSegmentationNode:
    """A new segmentation in the fixed geometry; names, colours and tags as in ``source``.

    Args:
        masks: segment ID to (I, J, K) bool on the fixed volume's voxels; overlaps are kept.
    """
    node = fixed.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(fixed)
    node.SetAndObserveTransformNodeID(fixed.GetTransformNodeID())
    node.GetSegmentation().SetSourceRepresentationName(BINARY)
    for segment in source.GetSegmentation().GetSegmentIDs():
        if segment not in masks:
            continue
        original = source.GetSegmentation().GetSegment(segment)
        copy = slicer.vtkSegment()
        copy.DeepCopyMetadata(original)
        copy.SetLabelValue(1)  # the original may share its label map with others
        copy.AddRepresentation(BINARY, oriented(masks[segment], fixed))
        node.GetSegmentation().AddSegment(copy, segment)
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    return node


def names(node: slicer.vtkMRMLSegmentationNode) -> dict[str, str]:
    """Segment ID to name, in the node's order."""
    return {segment: _name(node, segment) for segment in node.GetSegmentation().GetSegmentIDs()}


def _name(node: slicer.vtkMRMLSegmentationNode, segment: str) -> str:
    found = node.GetSegmentation().GetSegment(segment)
    return found.GetName() if found else segment


def _images(
    node: slicer.vtkMRMLSegmentationNode, segments: list[str], reference: slicer.vtkMRMLScalarVolumeNode | None
) -> dict[str, tuple[np.ndarray, Lattice]]:
    """Segment ID to (I, J, K) bool and its lattice, on one box for all segments that share a grid."""
    segmentation = node.GetSegmentation()
    missing = [segment for segment in segments if segmentation.GetSegment(segment) is None]
    if missing:
        raise DsirError(f"{node.GetName()} has no segment {missing[0]}; choose one of its segments.")
    if not segmentation.ContainsRepresentation(BINARY):
        segmentation = _filled(node, reference)
    to_world = matrix_to_world(node)
    grids: dict[str, list[str]] = {}
    for segment in segments:
        image = segmentation.GetSegment(segment).GetRepresentation(BINARY)
        if image is None:
            raise DsirError(f"The segment {_name(node, segment)} of {node.GetName()} cannot be made into voxels.")
        grids.setdefault(np.array2string(affine_of(image), precision=3, suppress_small=True), []).append(segment)
    found: dict[str, tuple[np.ndarray, Lattice]] = {}
    for members in grids.values():
        images = {s: segmentation.GetSegment(s).GetRepresentation(BINARY) for s in members}
        extents = np.array([i.GetExtent() for i in images.values() if not i.IsEmpty()]).reshape(-1, 3, 2)
        if not len(extents):
            found |= {s: (np.zeros((2, 2, 2), bool), Lattice((2, 2, 2), np.eye(4))) for s in members}
            continue
        low, high = extents[..., 0].min(0) - 1, extents[..., 1].max(0) + 1  # a rim, so that every shape has an outside
        first = affine_of(next(iter(images.values())))
        lattice = Lattice((10_000, 10_000, 10_000), to_world @ first).window(low, tuple(high - low + 1))
        for segment, image in images.items():
            found[segment] = (voxels_in(image, segmentation.GetSegment(segment).GetLabelValue(), low, high), lattice)
    return {segment: found[segment] for segment in segments}


def _filled(
    node: slicer.vtkMRMLSegmentationNode, reference: slicer.vtkMRMLScalarVolumeNode | None
) -> slicer.vtkSegmentation:
    """A copy of the segmentation with closed surfaces filled in the reference's voxels; the node stays as it is."""
    copy = slicer.vtkSegmentation()
    copy.DeepCopy(node.GetSegmentation())
    if reference is not None:
        lattice = lattice_of(reference)
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*lattice.shape)
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy((np.linalg.inv(matrix_to_world(node)) @ lattice.affine).ravel())
        image.SetImageToWorldMatrix(matrix)
        geometry = slicer.vtkSegmentationConverter.SerializeImageGeometry(image)
        copy.SetConversionParameter(slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName(), geometry)
    if not copy.CreateRepresentation(BINARY):
        raise DsirError(f"{node.GetName()} cannot be made into voxels; give it a binary label map representation.")
    return copy
