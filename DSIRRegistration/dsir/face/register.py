"""Register and query, in one call each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..errors import DsirError
from ..features.descriptor import load_descriptor
from ..geometry.lattice import check_inside
from ..messages import once
from ..progress import Progress, silent, within
from ..registration import register as pipeline
from ..registration.linear import NUMBERS, Model
from ..registration.presets import preset as settings_called
from ..registration.settings import RegistrationSettings
from ..similarity.describe import describe_image
from ..similarity.query import Answer
from ..similarity.query import query as ask
from ..workflow.given_transform import start_warnings
from ..workflow.identity_gate import check_one_person, identities, one_person
from .images import as_image
from .paths import expanded
from .registration import Registration
from .starts import as_landmarks, as_mask, as_transform

MODELS = ("auto", *NUMBERS)


def register(
    fixed: Any,
    moving: Any,
    *,
    preset: str | None = None,
    model: str | None = None,
    deformable: bool | None = None,
    settings: RegistrationSettings | None = None,
    fixed_mask: Any = None,
    moving_mask: Any = None,
    initial: Any = None,
    refine: Any = None,
    landmarks: Any = None,
    different_patients: bool = False,
    progress: bool | Progress = False,
) -> Registration:
    """Find where each point of the fixed scan lies in the moving scan.

    Args:
        fixed, moving: a path, a DICOM folder, a SimpleITK or nibabel image, a MONAI MetaTensor, (array, affine) or a
            :class:`dsir.Image`.
        preset: for a task or a speed, as ``dsir presets`` lists them (``"head_ct_mr"``, ``"fast"``); ``"default"``
            where neither it nor ``settings`` is given.
        model: ``"none"``, ``"translation"``, ``"rigid"``, ``"similarity"`` or ``"affine"``, and nothing after it:
            ``model="rigid"`` is a rigid registration. Say ``deformable=True`` for a deformation on top.
        deformable: whether a deformation follows; by default the preset, or the scans, decide.
        settings: all of them, in the place of a preset.
        fixed_mask, moving_mask: where to look (above zero): any kind of image, or an array on the image's own grid; the
            body is found when they are not given.
        initial: a start, fixed to moving: a file, a :class:`dsir.transforms.composite.Transform`, a SimpleITK transform
            or a (4, 4) RAS matrix; it stays a part of the result.
        refine: a transform to be improved, in the place of ``initial``: nothing is searched for.
        landmarks: pairs that belong together: a CSV file, or ``(fixed, moving)``, each (N, 3) RAS mm.
        different_patients: the scans may be of two persons; else DICOM files or folders that say so are refused. An
            image that was read before carries no name, so it is not asked.
        progress: True writes a line for each stage to standard error; or a function ``(stage, fraction, message)``.

    Raises:
        DsirError: the scans are of two persons, one is no image, they cannot be registered, or a name is not known.

    Examples:
        >>> import dsir
        >>> result = dsir.register("ct.nii.gz", "mr.nii.gz", preset="head_ct_mr")   # doctest: +SKIP
        >>> result.save("result")                                                   # doctest: +SKIP
    """
    chosen = chosen_settings(preset, model, deformable, settings)
    told = _told(progress)
    persons, same = _persons({"fixed": fixed, "moving": moving}, different_patients)
    if same and chosen.same_person is None:
        chosen = replace(chosen, same_person=True)
    fixed, moving = as_image(fixed), as_image(moving)
    masks = [as_mask(fixed_mask, fixed, "fixed"), as_mask(moving_mask, moving, "moving")]
    starts = [as_transform(given, fixed, moving, masks[0]) for given in (initial, refine)]
    begun = next((start for start in starts if start is not None), None)
    said = once(persons, fixed.remarks, moving.remarks)
    if begun is not None:
        said = once(said, begun.remarks, start_warnings(begun.transform, fixed, moving, *masks))
    first, improved = (None if start is None else start.transform for start in starts)
    found = pipeline.register(
        fixed, moving, chosen,
        fixed_mask=masks[0], moving_mask=masks[1], initial=first, refine=improved,
        landmarks=as_landmarks(landmarks), progress=told,
    )  # fmt: skip
    found.report["warnings"] = list(dict.fromkeys((*said, *found.report.get("warnings", ()))))
    return Registration(fixed, moving, found, first or improved)


def chosen_settings(
    preset: str | None, model: str | None, deformable: bool | None, settings: RegistrationSettings | None
) -> RegistrationSettings:
    """One value of what :func:`register` takes in four.

    >>> chosen_settings(None, "rigid", None, None).deformable
    False
    """
    if preset is not None and settings is not None:
        raise DsirError("Give a preset or settings, not both.")
    if settings is not None and not isinstance(settings, RegistrationSettings):
        raise DsirError(f"A {type(settings).__name__} is no RegistrationSettings (dsir.registration.settings).")
    chosen = settings or settings_called(preset or "default")
    if model is not None:
        if model not in MODELS:
            raise DsirError(f"There is no linear model called {model!r}; known are: {', '.join(MODELS)}.")
        chosen = replace(chosen, linear=replace(chosen.linear, model=cast(Model, model)))
        if model != "auto":
            chosen = replace(chosen, deformable=False)
    return chosen if deformable is None else replace(chosen, deformable=deformable)


def query(
    image: Any,
    point: Any,
    other: Any = None,
    *,
    around: Any = None,
    radius: float | None = None,
    alone: bool = False,
    descriptor: str | None = None,
    different_patients: bool = False,
    progress: bool | Progress = False,
) -> Answer:
    """Where a voxel of one scan lies in another, or in the same one again.

    Args:
        image, other: as for :func:`register`; ``other`` is ``image`` by default.
        point: (3,) RAS mm in ``image``.
        around: (3,) RAS mm in ``other``, the middle of the search; ``point`` by default.
        radius: mm of the search; the whole volume by default.
        alone: ask by the voxel's own vector; by default its surroundings must fit too.
        descriptor: ``"dsir"`` (default), ``"mind"`` or a file of weights.
        different_patients: as for :func:`register`.

    Returns:
        :class:`dsir.similarity.query.Answer`: ``best.point``, ``best.similarity``, ``runners_up``, ``share``.

    Raises:
        DsirError: the point lies outside the image or its body, an input is no image, or the persons differ.
    """
    told = _told(progress)
    _persons({"image": image, "other_scan": other}, different_patients)
    image = as_image(image)
    point = np.asarray(point, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise DsirError("The point has to be three numbers, RAS mm.")
    check_inside(point, image.lattice, "the image")
    there = None if other is None else as_image(other)
    described_by = load_descriptor(descriptor or RegistrationSettings().descriptor)
    store = describe_image(image, described_by, progress=within(told, 0.0, 0.5))
    searched = store if there is None else describe_image(there, described_by, progress=within(told, 0.5, 1.0))
    return ask(store, point, searched, around=around, radius=radius, alone=alone)


def _persons(scans: Mapping[str, Any], different_patients: bool) -> tuple[tuple[str, ...], bool]:
    """What must be said of whose scans they are, and whether they are known to be one person's."""
    files = {role: expanded(at) for role, at in scans.items() if isinstance(at, str | Path)}
    try:
        people = identities(files)
        said = check_one_person(people, different_patients=different_patients)
        return said, one_person(*(people.get(role) for role in scans))
    except DsirError as error:  # the same sentence, in this language's words
        raise DsirError(str(error).replace("--different-patients", "different_patients=True")) from None


def _told(progress: bool | Progress) -> Progress:
    if callable(progress):
        return progress
    if not progress:
        return silent
    stages: list[str] = []

    def line(stage: str, fraction: float, message: str) -> None:
        if stage not in stages[-1:]:
            stages.append(stage)
            print(f"{100 * fraction:3.0f} %  {stage}: {message}", file=sys.stderr, flush=True)

    return line
