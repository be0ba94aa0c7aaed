"""A series of scans onto one: phases of a breath, weekly scans onto the planning CT; in order, in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DsirError
from ..files.output_folder import OutputFolder
from ..files.report import run_report, write_report
from ..progress import Progress, silent, within
from ..registration.settings import RegistrationSettings
from ..reports.batch.rows import Row, State
from ..reports.batch.table import write_csv, write_series_page
from ..workflow.dicom_export import RegistrationExport
from ..workflow.pair import Pair, register_pair
from .job import told
from .outcome import row
from .pairs import check_name

CHAINED = ("lung_4dct",)
"""Presets whose series is chained when nobody says: the phases of one breath lie close to their neighbours, and the
last lies far from the first. Weekly scans are set up anew each time: a neighbour tells little."""


def register_series(
    pairs: Sequence[Pair],
    settings: RegistrationSettings,
    out: str | Path,
    *,
    chain: bool | None = None,
    dicom_reg: str = "",
    brief: bool = False,
    overwrite: bool = False,
    command_line: str = "",
    progress: Progress = silent,
) -> list[Row]:
    """Register each pair into ``out/NAME``, with one table and one page of all: everything, or after a stop nothing.

    A scan that cannot be registered is a row that says why, and the others are done.

    Args:
        pairs: of one fixed scan, in the order of the series.
        chain: begin each from the result of the one before (as ``--initial`` does: searched and bent anew on top of it,
            which beats improving it, Testing/benchmarks/series.py). A neighbour without a result, or whose verdict is
            FAIL, is passed over, and a chained result that FAILs is done again afresh. By default as :data:`CHAINED`
            says.
        dicom_reg: name of a DICOM registration object to be written into each scan's folder; none by default.

    Returns:
        one row for each, in their order.

    Raises:
        DsirError: two scans cannot be told apart by name, or the folder cannot be written.
    """
    chained = settings.preset in CHAINED if chain is None else chain
    named = dict(zip(names([pair.moving for pair in pairs]), pairs, strict=True))
    rows: list[Row] = []
    with OutputFolder(out, overwrite=overwrite) as folder:
        before: Row | None = None
        for number, (name, pair) in enumerate(named.items()):
            part = within(progress, number / len(named), (number + 1) / len(named))
            scan = _Scan(name, pair, settings, folder.path, dicom_reg, brief, command_line, part)
            said, start = scan.register(before if chained else None)
            found = row(name, State.FAILED if said else State.DONE, folder.path / name, said)
            rows.append(replace(found, start=start))
            before = rows[-1] if not said and found.verdict != "FAIL" else before
        fixed = pairs[0].fixed
        how = "each from its neighbour's result" if chained else "each afresh"
        facts = [("fixed", fixed.name), ("preset", settings.preset), ("begun", how)]
        facts += [("command", command_line)] if command_line else []
        write_series_page(folder.path, rows, f"{len(rows)} scans onto {fixed.name}", facts)
        rows = [replace(one, folder=str(folder.target / one.name) if one.folder else "") for one in rows]
        write_csv(folder.path, rows)
        write_report(folder.path / "report.json", _report(fixed, rows, settings, chained, command_line))
    progress("done", 1.0, f"{len(rows)} scans")
    return rows


def _report(
    fixed: Path, rows: Sequence[Row], settings: RegistrationSettings, chained: bool, command_line: str
) -> dict[str, Any]:
    """Of the whole series; each scan's own report lies in its folder."""
    scans = [{**row.to_json(), "folder": row.name if row.folder else ""} for row in rows]
    facts = {"chained": chained, "scans": scans}
    plain = settings.to_json()
    return run_report(
        "register series", inputs={"fixed": fixed}, settings=plain, facts=facts, command_line=command_line
    )


class _Scan:
    """One scan of the series."""

    def __init__(
        self,
        name: str,
        pair: Pair,
        settings: RegistrationSettings,
        folder: Path,
        dicom_reg: str,
        brief: bool,
        command_line: str,
        progress: Progress,
    ) -> None:
        self.name, self.pair, self.settings, self.out = name, pair, settings, folder / name
        self.dicom_reg, self.brief, self.command_line, self.progress = dicom_reg, brief, command_line, progress

    def register(self, neighbour: Row | None) -> tuple[str, str]:
        """What went wrong (nothing, mostly), and the name of the scan from whose result it was begun."""
        if neighbour is not None:
            known = replace(self.pair, initial=Path(neighbour.folder) / "transform.h5")
            if not self._try(known) and row(self.name, State.DONE, self.out).verdict != "FAIL":
                return "", neighbour.name
        return self._try(self.pair), ""

    def _try(self, pair: Pair) -> str:
        return told(lambda: self._register(pair), self.out)

    def _register(self, pair: Pair) -> None:
        export = RegistrationExport.of(pair.fixed, pair.moving, pair.different_patients) if self.dicom_reg else None
        register_pair(
            pair,
            self.settings,
            self.out,
            brief=self.brief,
            overwrite=True,
            command_line=self.command_line,
            progress=lambda _, fraction, message: self.progress(self.name, fraction, message),
        )
        if export is not None:
            export.write(self.out / self.dicom_reg, self.out / "transform.h5")


def names(scans: Sequence[Path]) -> list[str]:
    """A folder's name for each: as little of the end of its path as tells them apart.

    >>> names([Path("ct/00"), Path("ct/50.nii.gz")])
    ['00', '50']
    >>> names([Path("week 1/cbct"), Path("week 2/cbct")])
    ['week 1-cbct', 'week 2-cbct']

    Raises:
        DsirError: one is there twice, or its name cannot be a folder's.
    """
    parts = [_bare(scan.absolute()) for scan in scans]
    for count in range(1, max(map(len, parts)) + 1):
        found = ["-".join(part[-count:]) for part in parts]
        if max(Counter(name.lower() for name in found).values()) == 1:
            for number, name in enumerate(found):
                check_name(name, found[:number])
            return found
    (alike, _), *_ = Counter("-".join(part).lower() for part in parts).most_common(1)
    twice = next(scan for scan, part in zip(scans, parts, strict=True) if "-".join(part).lower() == alike)
    raise DsirError(f"The moving scan {twice} is there twice, or its name is another's but for the suffix.")


def _bare(scan: Path) -> list[str]:
    """The path's parts, the last without the suffix of an image."""
    *above, last = [part for part in scan.parts if part != scan.anchor]
    return [*above, last if scan.is_dir() else last.split(".")[0] or last]
