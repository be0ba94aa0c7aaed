"""What a session leaves on disk: a picture, the pairs, the result, and a scene that 3D Slicer opens."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import slicer
from dsir.errors import DsirError
from dsir.files.landmarks import write_landmarks

from ..pairs import landmarks
from ..roles import FIXED, MOVING
from .picture import compose, grab
from .session import Session

SLICERS_VIEWS = ("Red", "Green", "Yellow")
"""Slicer's own slice views."""


def save_picture(session: Session, target: Path, words: str) -> Path:
    """What is seen, as the next free ``view_N.png`` of the folder.

    Raises:
        DsirError: the folder cannot be written.
    """
    rows = [(f"{name}: {side.volume.GetName()}", [grab(v) for v in side.views]) for name, side in session.sides.items()]
    with _writable(target):
        file = next(file for n in count(1) if not (file := target / f"view_{n}.png").exists())
        compose(rows, words, session.overlays.legend).save(file)
    return file


def save_results(session: Session, target: Path) -> list[str]:
    """Pairs (CSV of RAS mm, and a markups file for each scan) and the last result; returns the names of the files.

    Raises:
        DsirError: there is nothing to save, or the folder cannot be written.
    """
    kept = session.result.kept
    if not len(session.pairs) and kept is None:
        raise DsirError("There is nothing to save yet: no accepted pair, no registration.")
    written: list[str] = []
    with _writable(target):
        if kept is not None:
            shutil.copytree(kept.folder, target, dirs_exist_ok=True)
            written += [file.name for file in kept.folder.iterdir()]
        if len(session.pairs):
            write_landmarks(target / "landmarks.csv", landmarks(*session.pairs.nodes.values()))
            written.append("landmarks.csv")
            for side, node in session.pairs.nodes.items():
                storage = slicer.vtkMRMLMarkupsJsonStorageNode()
                storage.SetFileName(str(target / f"{side}.mrk.json"))
                if not storage.WriteData(node):
                    raise DsirError(f"{target / f'{side}.mrk.json'} cannot be written.")
                written.append(f"{side}.mrk.json")
    return sorted(written)


def save_scene(session: Session, target: Path) -> Path:
    """Everything as ``scene.mrb``; opened in 3D Slicer it shows the fixed scan with the warped one over it.

    Raises:
        DsirError: the folder cannot be written.
    """
    with _writable(target), _for_slicer(session):
        file = target / "scene.mrb"
        file.unlink(missing_ok=True)
        if not session.app.scene.WriteToMRB(str(file), None):
            raise DsirError(f"{file} cannot be written; is the disk full?")
    return file


@contextmanager
def _for_slicer(session: Session) -> Iterator[None]:
    """What Slicer's own views show, in the place of ours, while the scene is written."""
    scene, shown = session.app.scene, session.result.warped or session.sides[MOVING].volume
    ours = [*_all(scene, "vtkMRMLSliceNode"), *_all(scene, "vtkMRMLSliceCompositeNode")]
    kept = {node: node.GetSaveWithScene() for node in ours}
    added = []
    for node in ours:
        node.SetSaveWithScene(False)
    for pairs in filter(None, session.pairs.nodes.values()):
        pairs.GetDisplayNode().RemoveAllViewNodeIDs()
    for name in SLICERS_VIEWS:
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetName(name)
        composite.SetLayoutName(name)
        composite.SetSingletonTag(name)
        added.append(scene.AddNode(composite))
        composite.SetBackgroundVolumeID(session.sides[FIXED].volume.GetID())
        composite.SetForegroundVolumeID(shown.GetID())
        composite.SetForegroundOpacity(0.5)
    try:
        yield
    finally:
        for node in added:
            scene.RemoveNode(node)
        for node, save in kept.items():
            node.SetSaveWithScene(save)
        session.show_pairs_on_their_side()


def _all(scene: slicer.vtkMRMLScene, kind: str) -> list:
    return [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]


@contextmanager
def _writable(target: Path) -> Iterator[None]:
    try:
        target.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DsirError(f"{target} cannot be written: {error.strerror}.") from None
