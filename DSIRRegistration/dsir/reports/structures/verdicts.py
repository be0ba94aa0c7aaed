"""``report.html`` of propagated structures, and beside it the same for programs: ``report.csv`` and ``report.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...files.report import run_report, write_report
from ...geometry.image import Image
from ...geometry.lattice import Lattice
from ...progress import Progress, silent
from ...structures import tables
from ...structures.propagate import Propagation
from .page import write_page
from .pictures import draw


def write_verdicts(
    page: str | Path,
    result: Propagation,
    fixed: Image,
    moving: Image | None,
    *,
    remarks: Sequence[str] = (),
    inputs: Mapping[str, str | Path | None] | None = None,
    identifiers: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> None:
    """Write ``report.html`` and beside it ``report.csv`` and ``report.json``.

    Args:
        inputs: role to file. Their hashes are kept, their names only with ``identifiers``.
        identifiers: what names the patient, heading to text; nothing does by default.
    """
    page = Path(page)
    pictures = {}
    for n, verdict in enumerate(result.verdicts):
        progress("report", n / len(result.verdicts), f"pictures of structure {n + 1} of {len(result.verdicts)}")
        reference = result.references.get(verdict.name)
        pictures[verdict.name] = draw(verdict, fixed, moving, result.transform, reference=reference)
    write_page(page, result.verdicts, pictures, remarks=remarks, facts={**(identifiers or {}), **_grids(fixed, moving)})
    tables.write_table(page.with_suffix(".csv"), result.verdicts)
    facts = tables.facts(result.verdicts, remarks, {"identifiers": dict(identifiers)} if identifiers else None)
    report = run_report("propagate", inputs=inputs or {}, settings={}, facts=facts)
    if not identifiers:
        for found in report["inputs"].values():
            found.pop("name", None)
    write_report(page.with_suffix(".json"), report)


def _grids(fixed: Image, moving: Image | None) -> dict[str, str]:
    return {"fixed scan": _grid(fixed.lattice)} | ({"moving scan": _grid(moving.lattice)} if moving else {})


def _grid(lattice: Lattice) -> str:
    size = " × ".join(str(n) for n in lattice.shape)
    return f"{size} voxels of {' × '.join(f'{s:.3g}' for s in lattice.spacing)} mm"
