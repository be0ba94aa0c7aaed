"""The result of ``dsir.register``, and what can be done with it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import DsirError
from ..files.itk_transforms import composite_to_itk
from ..files.meshes import Mesh, read_mesh
from ..files.points import read_points
from ..files.transforms import write_transform
from ..geometry.image import Image
from ..registration.register import RegistrationResult
from ..registration.settings import RegistrationSettings
from ..structures.meshes import warp_mesh
from ..transforms.composite import Transform
from ..warp.images import Interpolation, warp_image
from ..warp.labels import WarpedLabels, warp_labels
from ..warp.points import TOLERATED, moving_to_fixed
from ..workflow.result import write_result
from . import notebook
from .images import as_image, as_labels
from .paths import expanded


@dataclass(frozen=True, eq=False, repr=False)
class Registration:
    """A pair of scans and the transform from fixed to moving.

    Attributes:
        fixed, moving: as they were read.
        found: what the engine says: :class:`dsir.registration.register.RegistrationResult`.
        initial: the start that was given.
    """

    fixed: Image
    moving: Image
    found: RegistrationResult
    initial: Transform | None = None

    @property
    def transform(self) -> Transform:
        """Fixed to moving; ``transform.transform_points`` takes (N, 3) RAS mm."""
        return self.found.transform

    @property
    def settings(self) -> RegistrationSettings:
        """What it ran with."""
        return self.found.settings

    @property
    def report(self) -> dict[str, Any]:
        """Figures, as in ``report.json``: similarity, linear part, deformation, folds, seconds, warnings."""
        return self.found.report

    @property
    def warnings(self) -> list[str]:
        """What a reader must know, one sentence each."""
        return list(self.report.get("warnings", ()))

    @property
    def verdict(self) -> dict[str, Any] | None:
        """``{"level": "PASS", "CHECK" or "FAIL", "reasons": [...]}``; None where the engine has not judged."""
        return self.report.get("verdict")

    @cached_property
    def warped(self) -> Image:
        """The moving image on the fixed grid, linearly interpolated."""
        return warp_image(self.moving, self.transform, self.fixed.lattice)

    def apply(
        self,
        *,
        image: Any = None,
        labels: Any = None,
        points: Any = None,
        mesh: Any = None,
        interpolation: Interpolation = "linear",
    ) -> Image | WarpedLabels | np.ndarray | tuple[np.ndarray, np.ndarray | None]:
        """Bring one thing that was made on the moving scan onto the fixed scan.

        Say which kind it is: a label map read as an image would come out with values between its labels.

        Args:
            image: any kind of image; comes back as an :class:`dsir.Image` on the fixed grid.
            labels: any kind of label map; comes back as :class:`dsir.warp.labels.WarpedLabels` (``labels`` on the fixed
                grid; which were ``rescued``, which ``outside``).
            points: (N, 3) RAS mm, or a file of points (.csv, .mrk.json, .fcsv); comes back as (N, 3).
            mesh: a .vtp, .vtk, .stl or .ply, or a :class:`dsir.files.meshes.Mesh`; comes back as points (N, 3) RAS mm
                and normals (N, 3) or None.
            interpolation: of an image.

        Raises:
            DsirError: not exactly one was given, it is not of its kind, or the mapping folds at its points.
        """
        given = [thing is not None for thing in (image, labels, points, mesh)]
        if sum(given) != 1:
            raise DsirError("Give one of image=, labels=, points= and mesh=.")
        if image is not None:
            return warp_image(as_image(image), self.transform, self.fixed.lattice, interpolation=interpolation)
        if labels is not None:
            return warp_labels(*as_labels(labels), self.transform, self.fixed.lattice)
        if points is not None:
            points = _points(points)
            if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
                raise DsirError(f"Points have to be finite numbers (N, 3) in RAS mm; these are {points.shape}.")
            there, errors = moving_to_fixed(self.transform, points)
            _check(float(errors.max()))
            return there
        surface = mesh if isinstance(mesh, Mesh) else read_mesh(mesh)
        there, normals, worst = warp_mesh(surface, self.transform)
        _check(worst)
        return there, normals

    def save(
        self, folder: str | Path, *, labels: Any = None, brief: bool = False, overwrite: bool = False
    ) -> dict[str, Any]:
        """Write the folder that ``dsir register`` writes: transform, inverse, warped image, report, picture.

        Args:
            labels: a label map on the moving scan, to be propagated.
            brief: leave out what takes longer: the dense field, the inverse, the picture.

        Returns:
            the report, as it was written.

        Raises:
            DsirError: the folder exists and ``overwrite`` is not said, or cannot be written.
        """
        moving_labels = None if labels is None else as_labels(labels)
        return write_result(
            expanded(folder), self.fixed, self.moving, self.found,
            initial=self.initial, moving_labels=moving_labels, brief=brief, overwrite=overwrite,
        )  # fmt: skip

    def to_sitk(self) -> sitk.Transform:
        """The transform as SimpleITK takes it: ``sitk.Resample(moving, fixed, result.to_sitk())``."""
        return composite_to_itk(self.transform)

    def to_itk(self) -> Any:
        """The same as ``itk.CompositeTransform``, by the itk package, for pipelines that use it.

        Raises:
            DsirError: the itk package is not installed.
        """
        try:
            import itk
        except ImportError:
            raise DsirError(
                "to_itk() needs the itk package (pip install itk); to_sitk() gives the same transform to SimpleITK."
            ) from None
        with tempfile.TemporaryDirectory(prefix="dsir-") as folder:
            file = Path(folder) / "transform.h5"
            write_transform(file, self.transform)
            parts = list(itk.transformread(str(file)))
        whole = itk.CompositeTransform[itk.D, 3].New()
        for part in parts:
            if "Composite" not in part.GetNameOfClass():  # of which the file's other entries are the parts
                whole.AddTransform(part)
        return whole

    def __repr__(self) -> str:
        """One line."""
        linear, kept = self.report["linear"]["model"], self.report["deformation"]["kept"]
        similarity = self.report["similarity"]
        return (
            f"<Registration: {linear}, {'with' if kept else 'no'} deformation, similarity {similarity['start']:.2f} -> "
            f"{similarity['end']:.2f}, {self.report['folds']} folds>"
        )

    def _repr_html_(self) -> str:
        """The picture, what must be known, the figures."""
        return notebook.page(self.fixed, self.moving, self.found, self.initial)


def _points(given: Any) -> np.ndarray:
    """(N, 3) of a file, or whatever numbers were given.

    Raises:
        DsirError: they are no numbers, or not of one length.
    """
    if isinstance(given, str | Path):
        return read_points(expanded(given)).points
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DsirError("Points have to be finite numbers (N, 3) in RAS mm, or a file of points.") from None


def _check(missed: float) -> None:
    if missed > TOLERATED:
        raise DsirError(
            f"The mapping folds where a point lies: there and back misses it by {missed:.1f} mm, so its place on the "
            "fixed scan is not known."
        )
