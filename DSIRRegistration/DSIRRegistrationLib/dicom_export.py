"""A result as DICOM: the registration object, and what is carried as structure set and segmentation, by the engine."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

import slicer
from dsir.errors import DsirError
from dsir.progress import Progress, within

from . import worker
from .engine_process import Launcher
from .nodes.segments import layers, names
from .nodes.transforms import write_transform
from .nodes.volumes import lattice_of, write_array
from .persons import UIDS, check_one_person


def dicom_files(node: slicer.vtkMRMLScalarVolumeNode) -> list[Path]:
    """The files of the DICOM database that a volume was loaded from.

    Raises:
        DsirError: it does not come from the database, or files of it are gone.
    """
    database = getattr(slicer, "dicomDatabase", None)
    instances = (node.GetAttribute(UIDS) or "").split()
    if database is None or not database.isOpen or not instances:
        raise DsirError(f"{node.GetName()} was not loaded from the DICOM database; only what was can leave as DICOM.")
    files = [Path(database.fileForInstance(uid)) for uid in instances]
    if not all(file.is_file() for file in files):
        raise DsirError(f"DICOM files of {node.GetName()} are gone from the database; import them again.")
    return files


def export(
    transform: slicer.vtkMRMLTransformNode,
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode,
    structures: Sequence[slicer.vtkMRMLNode],
    out: Path,
    different_patients: bool,
    launch: Launcher,
    progress: Progress,
) -> Generator[bool | None, None, tuple[Path, ...]]:
    """Write ``registration.dcm``, and of each segmentation ``NAME.dcm`` (RTSTRUCT) and ``NAME.seg.dcm``, step by step.

    Args:
        structures: segmentations on the moving scan; segments that overlap go into several files.

    Raises:
        DsirError: a scan is not DICOM or stands elsewhere than its files say, two persons, or a file is there already.
    """
    check_one_person((fixed, moving, *structures), different_patients=different_patients)
    for node in (fixed, moving):
        parent = node.GetParentTransformNode()
        if parent is not None and not (node is moving and parent is transform):
            raise DsirError(f"{node.GetName()} is under the transform {parent.GetName()}; its DICOM files are not.")
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        series = {}
        for role, node in (("fixed", fixed), ("moving", moving)):
            series[role] = folder / role
            series[role].mkdir()
            for number, file in enumerate(dicom_files(node)):
                shutil.copyfile(file, series[role] / f"{number:05d}.dcm")
                yield True
        write_transform(folder / "transform.h5", transform, lattice_of(fixed))
        both = ["--fixed-series", str(series["fixed"]), "--moving-series", str(series["moving"])]
        both += ["--different-patients"] if different_patients else []
        jobs = [("registration.dcm", ["export", str(folder / "transform.h5"), *both])]
        for stem, labels, named in _drawn(structures, moving, folder):
            words = ["propagate", "--transform", str(folder / "transform.h5"), "--labels", str(labels)]
            jobs += [(f"{stem}{kind}", [*words, "--names", str(named), *both]) for kind in (".dcm", ".seg.dcm")]
        there = [out / file for file, _words in jobs if (out / file).exists()]
        if there:
            raise DsirError(f"{there[0]} exists already; choose another folder.")
        (folder / "out").mkdir()
        for number, (target, words) in enumerate(jobs):
            part = within(progress, number / len(jobs), (number + 1) / len(jobs))
            called = {str(series[role]): node.GetName() for role, node in (("fixed", fixed), ("moving", moving))}
            command = [*words, "--out", str(folder / "out" / target)]
            yield from worker.run(command, folder, launch=launch, progress=part, inputs=called)
        out.mkdir(parents=True, exist_ok=True)
        return tuple(Path(shutil.move(folder / "out" / file, out / file)) for file, _words in jobs)


def _drawn(
    structures: Sequence[slicer.vtkMRMLNode], moving: slicer.vtkMRMLScalarVolumeNode, folder: Path
) -> Generator[tuple[str, Path, Path], None, None]:
    """A name for files, the label map and the list of its names, of each layer of each segmentation."""
    for node in structures:
        if not node.IsA("vtkMRMLSegmentationNode"):
            continue
        found = layers(node, moving)
        for number, layer in enumerate(found, start=1):
            stem = "".join(c if c.isalnum() else "_" for c in node.GetName()) + (f"_{number}" if len(found) > 1 else "")
            labels, named = folder / f"{stem}.nii", folder / f"{stem}.csv"
            write_array(labels, layer.labels, layer.lattice)
            called = names(node)
            with named.open("w", newline="", encoding="utf-8") as file:
                rows = enumerate((called[segment] for segment in layer.segments), start=1)
                csv.writer(file).writerows([("value", "name"), *rows])
            yield stem, labels, named
