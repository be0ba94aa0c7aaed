"""Which volume of a folder is meant: the only one, or the one that the user picks by number, UID or description."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import DsirError
from .dataset import text
from .discover import Contents, Volume
from .picks import picked


def chosen(contents: Contents, path: Path, *, wanted: Iterable[str] = ()) -> Volume:
    """The volume that is meant: by what the user picked (:mod:`dsir.dicom.picks`), or the only one.

    Args:
        wanted: series UIDs that something else refers to (a structure set its scan).

    Raises:
        DsirError: no volume, or several and none is picked; the sentence lists them.
    """
    scans = [v for v in contents.volumes if v.scan]
    uids = set(wanted)
    if uids and any(v.uid in uids for v in scans):
        scans = [v for v in scans if v.uid in uids]
    pick = picked_among(contents.volumes, path, picked())
    if pick is not None:
        return pick
    if len(scans) == 1:
        return scans[0]
    if not scans:
        raise DsirError(_nothing(contents, path))
    listed = "; ".join(line(v, n) for n, v in enumerate(contents.volumes, start=1) if v in scans)
    kind = "DICOM series" if len({v.uid for v in scans}) == len(scans) else "volumes"
    raise DsirError(
        f"{path} holds {len(scans)} {kind} ({listed}); choose one with --series and its number, UID or description."
    )


def picked_among(volumes: Sequence[Volume], path: Path, picks: Sequence[str]) -> Volume | None:
    """The volume that a pick means; None where no pick is meant for this folder.

    Args:
        picks: ``NUMBER``, ``UID`` or a part of the description, each also as ``FOLDER=...`` for the folder of that name
            only.

    Raises:
        DsirError: a pick means none of the volumes, or several.
    """
    for pick in picks:
        folder, _, rest = pick.rpartition("=")
        if folder and folder not in (path.name, str(path)):
            continue
        found = [v for n, v in enumerate(volumes, start=1) if _means(rest, n, v)]
        if len(found) == 1:
            return found[0]
        if folder or (len(volumes) > 1 and len(picks) == 1):
            how = "no volume" if not found else f"{len(found)} volumes"
            listed = "; ".join(line(v, n) for n, v in enumerate(volumes, start=1))
            raise DsirError(f"{how[:1].upper()}{how[1:]} of {path} is what --series {pick} says; it holds {listed}.")
    return None


def _means(pick: str, number: int, volume: Volume) -> bool:
    if pick.isdigit():
        return int(pick) == number
    return pick == volume.uid or pick.casefold() in volume.description.casefold()


def line(volume: Volume, number: int) -> str:
    """A volume in a few words: its number, modality, description and slices."""
    count = f"{len(volume.planes)} slice{'' if len(volume.planes) == 1 else 's'}"
    return f"{number}: {volume.modality} {volume.description}, {count}"


def _nothing(contents: Contents, path: Path) -> str:
    if not contents.files:
        return f"The folder {path} is empty."
    if contents.volumes:
        volume = contents.volumes[0]
        if len(volume.planes) == 1:
            if path.is_file():
                return f"{path} is a single slice; give the folder of its series."
            if len(contents.volumes) > 1:
                return f"{path} holds no scan: none of its {len(contents.volumes)} series is a volume."
            return f"{path} holds a single slice; a series of slices is needed."
        return f"{path} holds no scan, only {volume.modality} {volume.description}."
    kinds = sorted({text(header, "Modality")[:16] or "other objects" for header, _ in contents.others})
    return f"{path} holds no DICOM image series" + (f", only {', '.join(kinds)}." if kinds else ".")
