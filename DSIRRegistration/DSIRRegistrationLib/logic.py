"""The programming interface: nodes and settings in, nodes out. No Qt, no application object.

>>> from DSIRRegistration import DSIRRegistrationLogic
>>> logic = DSIRRegistrationLogic()
>>> made = logic.register(fixedNode, movingNode, settings="fast", progress=print)  # doctest: +SKIP
>>> movingNode.SetAndObserveTransformNodeID(made.transform.GetID())  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from dsir.progress import Progress, silent

from .batch import batch
from .dicom_export import export
from .engine_process import Launcher, PythonProcess
from .evaluation import evaluation
from .features import features
from .given import as_mask, as_settings
from .registration import registration
from .run import Run
from .structures import propagate_onto
from .task import Registered, Task

if TYPE_CHECKING:
    from .given import GivenMask, Settings
    from .similarity import Shown


class RegistrationLogic:
    """What the module can do, for scripts, the Python console and the panel alike.

    Args:
        launch: starts the engine; a process of Slicer's own Python by default.
    """

    def __init__(self, launch: Launcher = PythonProcess) -> None:
        self.launch = launch

    def register(
        self,
        fixedNode: slicer.vtkMRMLScalarVolumeNode,
        movingNode: slicer.vtkMRMLScalarVolumeNode,
        *,
        settings: Settings = None,
        fixedMask: GivenMask = None,
        movingMask: GivenMask = None,
        initialTransform: slicer.vtkMRMLTransformNode | None = None,
        landmarks: tuple[slicer.vtkMRMLMarkupsNode, slicer.vtkMRMLMarkupsNode] | None = None,
        refine: slicer.vtkMRMLTransformNode | None = None,
        structures: Sequence[slicer.vtkMRMLNode] = (),
        outputTransform: slicer.vtkMRMLTransformNode | None = None,
        outputVolume: slicer.vtkMRMLScalarVolumeNode | None = None,
        jacobian: bool | slicer.vtkMRMLScalarVolumeNode = False,
        confidence: bool | slicer.vtkMRMLScalarVolumeNode = False,
        differentPatients: bool = False,
        progress: Progress = silent,
    ) -> Registered:
        """Register and wait.

        Args:
            settings: a preset's name (``"fast"``, ``"default"``, ``"accurate"``, ``"paper"``), the engine's settings,
                or a dictionary named as in ``report.json``: ``{"preset": "fast", "linear": {"model": "rigid"}}``.
            fixedMask, movingMask: where to look: a label map volume (above zero), or a segmentation and a segment's ID.
            initialTransform: a start, as one would apply it to the moving volume; linear or not.
            landmarks: markups nodes of the fixed and of the moving scan, point by point: soft constraints, and the
                start where no other is given.
            refine: a result to improve: nothing is searched for, which with one more pair takes seconds.
            structures: segmentations, label maps, markups and models on the moving scan to be propagated, as clones.
            outputTransform, outputVolume: nodes to overwrite; new ones by default.
            jacobian: also make the map of Jacobian determinants (or overwrite this volume with it).
            confidence: also make the map of where the result can be trusted, and judge each propagated segment by it.
            differentPatients: the scans may be of two persons; else nodes whose DICOM says so are refused.
            progress: ``progress(stage, fraction, message)``; raise :class:`dsir.errors.Cancelled` in it to stop.

        Raises:
            dsir.errors.DsirError: in one sentence, what cannot be done; the scene is then as it was.
        """
        chosen, changes = as_settings(settings)
        task = Task(
            fixed=fixedNode,
            moving=movingNode,
            preset=chosen,
            settings=changes,
            fixed_mask=as_mask(fixedMask),
            moving_mask=as_mask(movingMask),
            initial=initialTransform,
            structures=tuple(structures),
            transform=outputTransform,
            warped=outputVolume,
            jacobian=jacobian if isinstance(jacobian, slicer.vtkMRMLNode) else None,
            with_jacobian=bool(jacobian),
            confidence=confidence if isinstance(confidence, slicer.vtkMRMLNode) else None,
            with_confidence=bool(confidence),
            pairs=landmarks,
            refine=refine,
            different_patients=differentPatients,
        )
        return self.start(task, progress).wait()

    def start(self, task: Task, progress: Progress = silent) -> Run[Registered]:
        """The same without waiting: the caller steps."""
        return Run(registration(task, self.launch, progress))

    def batch(
        self,
        pairs: str | Path | Mapping[str, Mapping[str, Any]],
        out: str | Path,
        *,
        settings: Settings = None,
        workers: int = 0,
        scheduler: str | None = None,
        progress: Progress = silent,
    ) -> list[dict[str, Any]]:
        """Register many pairs into ``out/NAME``, as ``dsir batch`` does: those that are done already are kept.

        Args:
            pairs: name to ``{"fixed": ..., "moving": ...}`` and, where wanted, ``fixedMask``, ``movingMask``,
                ``initialTransform``, ``refine``, ``landmarks``, ``movingLabels``, ``fixedLabels``; each a node or a
                file; and ``differentPatients`` where they may be of two persons. Or a ``pairs.csv``.
            workers: processes on this machine; 0 for a number that fits it.
            scheduler: of Dask, whose workers are used instead.

        Returns:
            a row for each pair, as in ``out/results.csv``: ``name``, ``state``, ``error``, ``folds``, ...
        """
        chosen, changes = as_settings(settings)
        options = ["--preset", chosen, "--workers", str(workers), *(["--scheduler", scheduler] if scheduler else [])]
        return Run(batch(pairs, out, options, changes, self.launch, progress)).wait()

    def apply(
        self,
        transformNode: slicer.vtkMRMLTransformNode,
        nodes: Sequence[slicer.vtkMRMLNode],
        fixedNode: slicer.vtkMRMLScalarVolumeNode,
        *,
        movingNode: slicer.vtkMRMLScalarVolumeNode | None = None,
        differentPatients: bool = False,
        progress: Progress = silent,
    ) -> tuple[slicer.vtkMRMLNode, ...]:
        """Propagate segmentations, label maps, markups and models of moving onto fixed; gives the clones.

        Args:
            differentPatients: they may be another person's; else nodes whose DICOM says so are refused.
        """
        return self.start_apply(transformNode, nodes, fixedNode, movingNode, differentPatients, progress).wait()

    def start_apply(
        self,
        transform: slicer.vtkMRMLTransformNode,
        nodes: Sequence[slicer.vtkMRMLNode],
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode | None = None,
        different_patients: bool = False,
        progress: Progress = silent,
    ) -> Run[tuple[slicer.vtkMRMLNode, ...]]:
        """The same without waiting."""

        return Run(propagate_onto(transform, nodes, fixed, moving, different_patients, self.launch, progress))

    def exportDICOM(
        self,
        transformNode: slicer.vtkMRMLTransformNode,
        fixedNode: slicer.vtkMRMLScalarVolumeNode,
        movingNode: slicer.vtkMRMLScalarVolumeNode,
        folder: str | Path,
        *,
        structures: Sequence[slicer.vtkMRMLNode] = (),
        differentPatients: bool = False,
        progress: Progress = silent,
    ) -> tuple[Path, ...]:
        """Write a result as DICOM, for a planning system; both scans must come from Slicer's DICOM database.

        Args:
            structures: segmentations drawn on the moving scan, for a structure set and a segmentation object.

        Returns:
            the files: ``registration.dcm``, and two for each segmentation; nothing in them is approved.
        """
        nodes = (transformNode, fixedNode, movingNode)
        return self.start_export(*nodes, folder, structures, differentPatients, progress).wait()

    def start_export(
        self, transform, fixed, moving, folder, structures=(), different_patients=False, progress: Progress = silent
    ) -> Run[tuple[Path, ...]]:
        """The same without waiting."""
        given = (transform, fixed, moving, tuple(structures), Path(folder), different_patients)
        return Run(export(*given, self.launch, progress))

    def evaluate(
        self,
        transformNode: slicer.vtkMRMLTransformNode,
        *,
        fixedNode: slicer.vtkMRMLScalarVolumeNode | None = None,
        segmentations: tuple[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLSegmentationNode] | None = None,
        landmarks: tuple[slicer.vtkMRMLMarkupsNode, slicer.vtkMRMLMarkupsNode] | None = None,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Dice and surface distances of segments of the same name, errors of paired landmarks; before and after.

        Args:
            segmentations, landmarks: of the fixed and of the moving scan.
        """
        return self.start_evaluate(transformNode, fixedNode, segmentations, landmarks, progress).wait()

    def start_evaluate(
        self, transform, fixed=None, segmentations=None, landmarks=None, progress: Progress = silent
    ) -> Run[dict[str, Any]]:
        """The same without waiting."""
        return Run(evaluation(transform, fixed, segmentations, landmarks, self.launch, progress))

    def similarityMap(
        self,
        fixedNode: slicer.vtkMRMLScalarVolumeNode,
        movingNode: slicer.vtkMRMLScalarVolumeNode,
        point: Sequence[float],
        *,
        side: str = "fixed",
        descriptor: str = "dsir",
        radius: float | None = None,
        alone: bool = False,
        progress: Progress = silent,
    ) -> tuple[slicer.vtkMRMLScalarVolumeNode, Shown]:
        """Where the structure at a point of one scan is found in the other.

        Args:
            point: world RAS mm, in the scan that ``side`` names (``"fixed"`` or ``"moving"``).
            descriptor: ``"dsir"``, ``"mind"`` or ``"cnn"`` (untrained).
            radius: mm around the point within which is searched; everywhere by default.
            alone: ask by the voxel's own vector, as in the paper's Figure 1; else its surroundings must fit too.

        Returns:
            the similarity of every voxel of the other scan as a volume, and the best match with its sentence.
        """
        from .similarity import Similarity  # needs packages that a Slicer may lack when the module is loaded

        session = Similarity(fixedNode, movingNode, launch=self.launch)
        try:
            Run(session.compute(descriptor, progress=progress)).wait()
            shown = session.ask(side, np.asarray(point, dtype=np.float64), descriptor, radius=radius, alone=alone)
            return session.heat.kept("DSIR similarity"), shown
        finally:
            session.remove()

    def features(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        *,
        descriptor: str = "",
        spacing: float = 0.0,
        mask: slicer.vtkMRMLLabelMapVolumeNode | None = None,
        progress: Progress = silent,
    ) -> slicer.vtkMRMLVectorVolumeNode:
        """The structural descriptor of every voxel, as a vector volume of unit vectors.

        Args:
            descriptor: ``"dsir"`` or ``"mind"``; that of the default settings where empty.
            spacing: mm; what the descriptor is made for where zero.
        """

        return Run(features(volumeNode, descriptor, spacing, mask, self.launch, progress)).wait()
