"""What each part of the solver is worth: the same pair and the same start, one part changed at a time.

    python Testing/benchmarks/solver_parts.py --cases head_t1 brain_t1_t2 --out runs     # writes solver_parts.md

One thread, the default preset or another. Each pair is aligned, described and searched once; then only the descent
differs. Figures: mean end-point error in mm inside the body, or landmarks' error, or Dice where that is all a pair
knows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import torch
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, REAL, build
from dsir.evaluation.cases import Case
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.progress import silent
from dsir.registration import leading_directions, residual_weighing
from dsir.registration.boundary_fade import faded_at_boundary
from dsir.registration.descent import Level
from dsir.registration.handed_on import Start
from dsir.registration.levels import descend_levels
from dsir.registration.placing import LevelFeatures
from dsir.registration.presets import PRESETS, preset
from dsir.registration.settings import RegistrationSettings
from dsir.registration.solver import Stiffness
from dsir.registration.stages import align_linearly, describe_both, prepare, starting_field
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from pairs_asked import asked, parser_of
from scoring import score

Change = Callable[[RegistrationSettings], RegistrationSettings]


def levels(**changes: object) -> Change:
    """Every level with other values."""

    def change(settings: RegistrationSettings) -> RegistrationSettings:
        changed = tuple(replace(level, **changes) for level in settings.descent.levels)
        return replace(settings, descent=replace(settings.descent, levels=changed))

    return change


def descent(**changes: object) -> Change:
    """Another descent."""
    return lambda settings: replace(settings, descent=replace(settings.descent, **changes))


def without(unwanted: Callable[[Level], bool]) -> Change:
    """Without some levels of the descent."""

    def change(settings: RegistrationSettings) -> RegistrationSettings:
        kept = tuple(level for level in settings.descent.levels if not unwanted(level))
        return replace(settings, descent=replace(settings.descent, levels=kept))

    return change


def finer_control(settings: RegistrationSettings) -> RegistrationSettings:
    """A control point for each voxel of the levels that place, as stiff in mm."""

    def finer(level: Level) -> Level:
        return replace(level, stiffness=replace(level.stiffness, control=1, bending=16 * level.stiffness.bending))

    changed = tuple(finer(level) if level.place else level for level in settings.descent.levels)
    return replace(settings, descent=replace(settings.descent, levels=changed))


Constants = dict[tuple[ModuleType | type, str], object]
WEIGHING, CHANNELS = residual_weighing, leading_directions

PARTS: dict[str, tuple[Change, Constants]] = {
    "default": (lambda settings: settings, {}),
    "no level by local correlation": (without(lambda level: level.local > 0), {}),
    "no level that places": (without(lambda level: level.place), {}),
    "all channels, not the leading 16": (lambda settings: settings, {(CHANNELS, "DIRECTIONS"): 10_000}),
    "the leading 8": (lambda settings: settings, {(CHANNELS, "DIRECTIONS"): 8}),
    "residuals not weighed": (descent(weighed=False), {}),
    "weighed whatever the pair says": (
        lambda settings: settings,
        {(WEIGHING, "WORTH"): 1e9, (WEIGHING, "LARGEST_DEVIATION"): 1e9},
    ),
    "noisy pairs not held stiffer": (lambda settings: settings, {(WEIGHING, "STIFFEST"): 1.0}),
    "residuals averaged over pairs of voxels only": (lambda settings: settings, {(WEIGHING, "AVERAGED"): 0.01}),
    "no robust weights": (levels(robust=1e6), {}),
    "no coarse level (nor weighing)": (without(lambda level: level.scale > 1), {}),
    "0.4 times as stiff": (lambda settings: settings.stiffer(0.4), {}),
    "2.5 times as stiff": (lambda settings: settings.stiffer(2.5), {}),
    "as stiff in voxels, not in mm": (lambda settings: settings, {(Stiffness, "on"): lambda held, spacing: held}),
    "steps not lengthened": (levels(relaxation=1.0), {}),
    "lengthened by 1.8": (levels(relaxation=1.8), {}),
    "three steps a level": (levels(iterations=3), {}),
    "ten steps a level": (levels(iterations=10), {}),
    "control points of 2 mm": (finer_control, {}),
    "no discrete search": (lambda settings: settings, {}),
}
"""Name to a change of the settings, and other values of constants."""


CASES = ["head_t1", "brain_t1_t2", "head_ct_t1", "multiphase_ct", "lung_contrast"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; exit code 0 also where there are no scans."""
    parser = parser_of(__doc__, [*KNOWN, *REAL], CASES)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), metavar="PART", default=list(PARTS))
    parser.add_argument("--preset", choices=list(PRESETS), default="default")
    parser.add_argument("--descriptor", help="in the place of the preset's")
    parser.add_argument("--spacing", type=float, help="mm of the working grid, in the place of the preset's")
    parser.add_argument("--out", type=Path, help="folder for solver_parts.md")
    options = asked(parser, arguments)
    if options is None:
        return 0
    console, columns = Console(width=None if sys.stdout.isatty() else 150), {}
    for name in options.cases:
        columns[name] = {}
        for part, figure, seconds in measure(build(name, options.data, seed=options.seed), options):
            columns[name][part] = figure
            console.print(f"{name}  {part}: {figure:.3f} ({seconds:.0f} s of descent)", highlight=False)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "solver_parts.md").write_text(table(columns, options.parts), encoding="utf-8")
    return 0


def measure(case: Case, options: argparse.Namespace) -> Iterator[tuple[str, float, float]]:
    """Name, figure and CPU seconds of every part's descent."""
    moving = case.moving
    if case.start is not None:  # a shift that all methods begin from
        affine = moving.lattice.affine.copy()
        affine[:3, 3] -= case.start
        moving = Image(moving.data, Lattice(moving.lattice.shape, affine))
    settings = preset(options.preset, device="cpu", threads=1)
    if options.descriptor:
        settings = replace(settings, descriptor=options.descriptor)
    if options.spacing:
        settings = replace(settings, spacing=options.spacing)
    with torch.no_grad():
        prepared, start = prepare(case.fixed, moving, None, None, settings, silent), Start()
        linear = Linear(align_linearly(prepared, start, silent).matrix)
        features = describe_both(prepared, linear, start, silent)
        found = starting_field(features, start, prepared.settings, silent).field
        for part in options.parts:
            change, constants = PARTS[part]
            begun = DisplacementField.identity(features.lattice) if part == "no discrete search" else found
            before = time.process_time()
            with instead(constants):
                field = descended(LevelFeatures(prepared, features), begun, change(prepared.settings))
            seconds = time.process_time() - before
            yield part, figure_of(case, Transform((field, linear))), seconds


def descended(features: LevelFeatures, begun: DisplacementField, settings: RegistrationSettings) -> DisplacementField:
    """The field as it is handed over."""
    field = descend_levels(features, begun, settings, None, silent)
    return faded_at_boundary(field, spacing=max(2 * float(features.features.lattice.spacing[0]), 3.0))


@contextmanager
def instead(constants: Constants) -> Iterator[None]:
    """Other constants, for a while."""
    kept = {(module, name): getattr(module, name) for module, name in constants}
    try:
        for (module, name), value in constants.items():
            setattr(module, name, value)
        yield
    finally:
        for (module, name), value in kept.items():
            setattr(module, name, value)


def figure_of(case: Case, transform: Transform) -> float:
    """End-point error, landmarks' error, or Dice: the first that the case knows."""
    field = transform.displacement(case.fixed.lattice)
    if case.start is not None:
        shift = torch.as_tensor(case.start, dtype=torch.float32).view(3, 1, 1, 1)
        field = DisplacementField(field.vectors + shift, field.lattice)
    found = score(case, field)
    return next(found[key] for key in ("epe_mean", "tre_mean", "dice_mean") if found.get(key) is not None)


def table(columns: dict[str, dict[str, float]], parts: Sequence[str]) -> str:
    """Markdown: a row for each part."""
    lines = ["| part | " + " | ".join(columns) + " |", "|---" + "|---:" * len(columns) + "|"]
    for part in parts:
        cells = [f"{found[part]:.2f}" if part in found else "-" for found in columns.values()]
        lines.append(f"| {part} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
