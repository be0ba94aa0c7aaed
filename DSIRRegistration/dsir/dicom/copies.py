"""Slices that a folder holds twice: copies of one object, and the same pixels exported again under another UID."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from .dataset import read_whole
from .planes import Plane


def without_copies(planes: Sequence[Plane]) -> tuple[list[Plane], int]:
    """The planes, each SOP instance's frame once, and how many were passed over.

    Some programs give one UID to all slices: what lies elsewhere is no copy.
    """
    seen: set[tuple[object, ...]] = set()
    kept = []
    for plane in planes:
        key = (plane.sop_instance or str(plane.path), plane.frame, place(plane))
        if key in seen:
            continue
        seen.add(key)
        kept.append(plane)
    return kept, len(planes) - len(kept)


def without_twins(planes: Sequence[Plane]) -> tuple[list[Plane], int]:
    """The planes without those whose place and very pixels another one has, and how many were passed over.

    Files are opened for their pixels only where two planes share a place.
    """
    by_place: dict[tuple[float, ...], list[Plane]] = defaultdict(list)
    for plane in planes:
        by_place[place(plane)].append(plane)
    twins: set[int] = set()
    for where, group in by_place.items():
        if not where or len(group) < 2:
            continue
        held: set[tuple[object, ...]] = set()
        for plane in group:
            content = (_stored(plane), plane.scale, plane.frame)
            if content[0] and content in held:
                twins.add(id(plane))
            held.add(content)
    return [plane for plane in planes if id(plane) not in twins], len(twins)


def place(plane: Plane) -> tuple[float, ...]:
    """Where a plane lies, in hundredths of a mm; empty where it does not say."""
    return tuple(np.round(plane.position, 2).tolist()) if plane.position is not None else ()


def _stored(plane: Plane) -> bytes:
    """Pixels as the file has them; empty where it has none."""
    dataset = read_whole(plane.path)
    try:
        return bytes(dataset["PixelData"].value) if dataset is not None else b""
    except Exception:  # whoever reads them says what is wrong with them
        return b""
