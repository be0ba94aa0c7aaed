"""Judge the structures' lights on scans with known and with spoiled answers, and set the limits they rest on.

    python Testing/benchmarks/calibrate_lights.py --cache runs/lights [--preset default] [--seconds 1200] [--judge]

Registers each pair (known deformations of 1 to 15 mm, one person's two scans, two persons, pairs spoiled on purpose),
carries the organs, and keeps of each what the confidence by DSIR rests on and how far the contour is from the truth. A
known pair is judged twice more with its result led astray, by 3 to 12 mm and by 2 to 5, of which the two scans are
asked as ``dsir propagate --measure-confidence`` asks them. What was made is kept in
``--cache``, so that a run can be stopped and goes on. ``--judge`` makes nothing. Limits are set without the pair's
persons on people of ``train/``; scans of ``cases/`` are judged, and nothing is fitted to them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from dsir.errors import DsirError  # noqa: E402
from dsir.evaluation.deformation import DeformationSettings, random_deformation  # noqa: E402
from dsir.features.descriptor import Descriptor, load_descriptor  # noqa: E402
from dsir.files.atomic import complete_file  # noqa: E402
from dsir.files.report import plain  # noqa: E402
from dsir.registration.findings import Finding, findings_of, verdict_of  # noqa: E402
from dsir.registration.presets import preset  # noqa: E402
from dsir.registration.register import register  # noqa: E402
from dsir.registration.settings import RegistrationSettings  # noqa: E402
from dsir.shapes.structure import StructureSet  # noqa: E402
from dsir.similarity.confidence import Evidence, evidence_of  # noqa: E402
from dsir.structures.confidence_map import doubts_of  # noqa: E402
from dsir.structures.doubts import reaching  # noqa: E402
from dsir.structures.measures import overlap_aside  # noqa: E402
from dsir.structures.propagate import propagate  # noqa: E402
from dsir.transforms.composite import Transform  # noqa: E402
from dsir.warp.pullback import inner_points  # noqa: E402
from labelled import FITTED, NECKS, UNSEEN, labelled  # noqa: E402
from lights_judged import report  # noqa: E402
from lights_pairs import SPOILED, Pair, known, spoiled, two  # noqa: E402
from remembering import Remembering  # noqa: E402

KINDS = ("known", "same_person", "two_persons", *SPOILED)
POINTS, VOXELS = 400, 2000
"""In a structure, and in a map, whose evidence is kept."""


@dataclass(frozen=True)
class Row:
    """One structure of one result: its measures without the reference, and the truth.

    ``level`` is the worst that is said of the registration where the structure lies; None in older caches.
    """

    name: str
    measures: dict
    remarks: tuple[str, ...]
    cut: bool
    evidence: np.ndarray
    dice: float
    surface_dice: float
    level: str | None = None


@dataclass(frozen=True)
class Result:
    """One transform of one pair; ``level`` is the registration's own verdict, led astray what the scans say of it."""

    pair: str
    kind: str
    persons: tuple[str, ...]
    level: str
    reasons: tuple[str, ...]
    slice_mm: float
    rows: tuple[Row, ...]
    evidence: np.ndarray
    errors: np.ndarray | None


def main() -> int:
    """Make what is missing, as long as there is time, and judge what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="FOLDER")
    parser.add_argument("--cache", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--preset", default="default", help="by which pairs are registered; a cache holds one")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of pairs that are made")
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin no further pair after so long")
    parser.add_argument("--judge", action="store_true", help="only judge what the cache holds")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    if not options.judge and (options.data / "train_labels").is_dir():
        torch.set_num_threads(1)
        make(options.data, options.cache, options.preset, options.kinds, time.monotonic() + options.seconds)
    results = [result for file in sorted(options.cache.glob("*.npz")) for result in kept(file)]
    if not results:
        print("Nothing to judge: no scans and no cache.")
        return 0
    report(results)
    return 0


NO_EVIDENCE = np.empty((0, 5))

SEEDS = 3
"""Known deformations of each scan, at the most."""

SAME = {"lung": "lung_later", "cord_t1": "cord_t2"}
"""One person's other scan, with contours of its own."""

LIES_ON = {"head_ct": "head_t1", "head_t1": "head_ct"}
"""The partner of a known deformation, where two scans lie on each other."""


def planned() -> Iterator[tuple[str, str, int]]:
    """Kind, whose, seed; in an order of which every beginning is a fair sample."""
    necks = [f"neck_{number}" for number in NECKS]
    others = [name for name in (*FITTED, *UNSEEN) if name not in SAME.values()]
    yield from (("same_person", name, 0) for name in SAME)
    yield "two_persons", "abdomen_ct", 0
    for turn in range(SEEDS):
        for n, person in enumerate(necks):
            if n < len(others):
                yield "known", others[n], 500 + turn + 10 * n
            yield "known", person, n + 201 * turn
            if n % 2:
                yield "two_persons", person, n + 20 * turn
                yield SPOILED[(n // 2 + turn) % len(SPOILED)], person, 100 + n + 200 * turn


def make(data: Path, cache: Path, chosen: str, kinds: Sequence[str], until: float) -> None:
    """Register, carry, keep."""
    descriptor = Remembering(load_descriptor("dsir"))
    for kind, person, seed in planned():
        file = cache / f"{kind}_{person}_{seed}.npz"
        if file.exists() or kind not in kinds:
            continue
        if time.monotonic() > until:
            return
        began = time.process_time()
        pair = made(data, kind, person, seed)
        settings = preset(chosen, device="cpu", threads=1, same_person=False if kind == "two_persons" else None)
        found = results_of(pair, settings, descriptor, seed)
        keep(file, found)
        print(f"{file.stem}: {found[0].level if found else 'refused'}, {time.process_time() - began:.0f} s", flush=True)


def made(data: Path, kind: str, name: str, seed: int) -> Pair:
    """The pair that was planned."""
    one = labelled(data, name)
    if kind == "known":
        partner = labelled(data, LIES_ON[name]).image if name in LIES_ON else None
        return known(one, seed, other_contrast=seed % 2 == 1, partner=partner)
    if kind == "same_person":
        return two(one, labelled(data, SAME[name]), kind=kind)
    if kind == "two_persons" and name.startswith("neck_"):
        place = NECKS.index(name.removeprefix("neck_")) + 1 + 4 * (seed // 20)
        return two(one, labelled(data, f"neck_{NECKS[place % len(NECKS)]}"))
    if kind == "two_persons":
        return two(one, labelled(data, "abdomen_mr"))
    return spoiled(data, kind, one, seed)


def keep(file: Path, results: list[Result]) -> None:
    """Write what a pair gave: arrays as they are, the rest as JSON among them."""
    arrays: dict[str, np.ndarray] = {}
    told = []
    for n, result in enumerate(results):
        facts = {
            f.name: getattr(result, f.name) for f in fields(result) if f.name not in ("rows", "evidence", "errors")
        }
        rows = [{f.name: getattr(row, f.name) for f in fields(row) if f.name != "evidence"} for row in result.rows]
        arrays |= {f"{n}": result.evidence} | {f"{n}.{k}": row.evidence for k, row in enumerate(result.rows)}
        if result.errors is not None:
            arrays[f"{n}.errors"] = result.errors
        told.append({**facts, "rows": rows})
    with complete_file(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, told=np.array(json.dumps(plain(told))), **arrays)


def kept(file: Path) -> list[Result]:
    """Read what :func:`keep` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        results = []
        for n, facts in enumerate(json.loads(str(arrays["told"]))):
            rows = tuple(
                Row(**{**row, "remarks": tuple(row["remarks"])}, evidence=arrays[f"{n}.{k}"])
                for k, row in enumerate(facts.pop("rows"))
            )
            texts = {name: tuple(facts.pop(name)) for name in ("persons", "reasons")}
            errors = arrays.get(f"{n}.errors")
            results.append(Result(**facts, **texts, rows=rows, evidence=arrays[f"{n}"], errors=errors))
    return results


def results_of(pair: Pair, settings: RegistrationSettings, descriptor: Descriptor, seed: int) -> list[Result]:
    """The registration's result, and of a known pair the same led astray, far and a little."""
    if pair.start is not None:
        settings = replace(
            settings, linear=replace(settings.linear, model="none"), discrete=replace(settings.discrete, enabled=False)
        )
    try:
        found = register(pair.fixed, pair.moving, settings, initial=pair.start)
    except DsirError as error:
        return [Result(pair.name, pair.kind, pair.persons, "FAIL", (str(error),), 0.0, (), NO_EVIDENCE, None)]
    results = [looked_at(pair, pair.kind, found.transform, findings_of(found.report), descriptor, seed)]
    if pair.kind == "known":
        draw = np.random.default_rng([seed, 4])
        for n, amplitude in enumerate((draw.uniform(3, 12), draw.uniform(2, 5))):
            bend = DeformationSettings(knots=50.0, amplitude=float(amplitude))
            wrong = random_deformation(pair.fixed.lattice, bend, seed=seed + 77 + 1000 * n)
            astray = Transform((wrong, *found.transform.parts))
            doubts = doubts_of(pair.fixed, pair.moving, astray)  # as ``propagate --measure-confidence`` asks the scans
            results.append(looked_at(pair, "astray", astray, doubts, descriptor, seed))
    return results


def looked_at(
    pair: Pair, kind: str, transform: Transform, doubts: Sequence[Finding], how: Descriptor, seed: int
) -> Result:
    """Carry, compare, and keep the evidence."""
    fixed, said = pair.fixed.lattice, (verdict_of(doubts)["level"], tuple(doubt.code for doubt in doubts))
    source = StructureSet(pair.moving.lattice, pair.source)
    carried = propagate(source, transform, fixed, reference=StructureSet(fixed, pair.reference))
    seen = None if said[0] == "FAIL" else evidence_of(pair.fixed, pair.moving, transform, how)  # red is red
    rows = []
    for verdict in carried.verdicts:
        m = asdict(verdict.measures)
        dice, surface = m["dice"] or 0.0, m["surface_dice"] or 0.0
        m |= dict.fromkeys(("dice", "surface_dice", "hd95_mm", "surface_distance_mm"))
        shape = verdict.carried.structure
        at = _at(seen, inner_points(shape, POINTS))
        if len(at):
            m["away_mm"] = float(at[:, 0].mean())
            m["away_overlap"] = overlap_aside(shape, m["away_mm"])
        level = verdict_of(reaching(doubts, inner_points(shape)))["level"]
        rows.append(Row(verdict.name, m, (), verdict.carried.cut, at, dice, surface, level))
    if seen is None:
        return Result(pair.name, kind, pair.persons, *said, float(fixed.spacing[2]), tuple(rows), NO_EVIDENCE, None)
    index = seen.body.nonzero().numpy()
    index = index[np.random.default_rng(seed).permutation(len(index))[:VOXELS]]
    errors = None
    if pair.truth is not None:
        points = seen.lattice.to_world(index)
        errors = np.linalg.norm(transform.transform_points(points) - points - pair.truth.at(points), axis=1)
    values = seen.values[(slice(None), *index.T)].numpy().T
    return Result(pair.name, kind, pair.persons, *said, float(fixed.spacing[2]), tuple(rows), values, errors)


def _at(seen: Evidence | None, points: np.ndarray) -> np.ndarray:
    """(N, 5) evidence at RAS points; rows only where the map says anything."""
    if seen is None:
        return NO_EVIDENCE
    points = points[seen.lattice.contains(points)] if len(points) else points
    if not len(points):
        return NO_EVIDENCE
    index = np.clip(np.rint(seen.lattice.to_index(points)).astype(int), 0, np.array(seen.lattice.shape) - 1)
    index = index[seen.body[tuple(index.T)].numpy()]
    return seen.values[(slice(None), *index.T)].numpy().T


if __name__ == "__main__":
    sys.exit(main())
