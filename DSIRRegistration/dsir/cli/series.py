"""``dsir register`` with several moving scans: a folder each, and one table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DsirError
from ..progress import Progress
from .command import Outcome
from .evaluate import align

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..registration.settings import RegistrationSettings
    from ..reports.batch.rows import Row

OF_ONE = ("moving_mask", "initial", "refine", "landmarks", "moving_labels")
"""Options that speak of one moving scan."""


def run_series(arguments: argparse.Namespace, settings: RegistrationSettings, progress: Progress) -> Outcome:
    """Register them in their order.

    Raises:
        DsirError: an option speaks of one moving scan; or, when all is written, a scan could not be registered.
    """
    for name in OF_ONE:
        if getattr(arguments, name):
            option = "--" + name.replace("_", "-")
            raise DsirError(
                f"{option} belongs to one moving scan, and there are {len(arguments.moving)}; see dsir batch."
            )
    object_name = _object_name(arguments.dicom_reg)
    from ..files.output_folder import check_output_folder

    check_output_folder(arguments.out, overwrite=arguments.overwrite)
    progress("reading", 0.0, "loading the engine")
    from ..batch.series import register_series
    from ..reports.batch.rows import State
    from ..reports.batch.table import SERIES_PAGE
    from ..workflow.pair import Pair

    pairs = [
        Pair(
            arguments.fixed,
            moving,
            fixed_mask=arguments.fixed_mask,
            different_patients=arguments.different_patients,
        )
        for moving in arguments.moving
    ]
    rows = register_series(
        pairs,
        settings,
        arguments.out,
        chain=arguments.chain,
        dicom_reg=object_name,
        brief=arguments.brief,
        overwrite=arguments.overwrite,
        command_line=arguments.command_line,
        progress=progress,
    )
    failed = [row.name for row in rows if row.state is State.FAILED]
    if failed:
        done = f"{len(rows) - len(failed)} scans registered, {len(failed)} failed"
        raise DsirError(f"{done}: {', '.join(failed)}; why is in {arguments.out / SERIES_PAGE}.")
    lines = (f"Result in {arguments.out}; begin with {SERIES_PAGE}", *align(_table(rows)))
    return Outcome(arguments.out.resolve(), lines, {"scans": [row.to_json() for row in rows]})


def _object_name(path: Path | None) -> str:
    """Of the DICOM registration object in each scan's folder; empty for none.

    Raises:
        DsirError: it names a folder too, or a file that the folder of a scan holds already.
    """
    if path is None:
        return ""
    if path.name != str(path) or path.suffix.lower() != ".dcm":
        raise DsirError(f"Of a series, --dicom-reg is the name of a file in each scan's folder (reg.dcm), not {path}.")
    return path.name


def _table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("", "verdict", "similarity", "folds", "seconds", "begun from")]
    for row in rows:
        similarity = f"{row.similarity_start or 0:.3f} -> {row.similarity_end or 0:.3f}"
        lines.append((row.name, row.verdict, similarity, str(row.folds), f"{row.seconds or 0:.0f}", row.start))
    return lines
