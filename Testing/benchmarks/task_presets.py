"""The presets ct_cbct, pet_ct, lung_4dct and head_ct_mr, each on a pair of its kind, beside ``fast``.

    python Testing/benchmarks/task_presets.py [--data ../shared/data/cases] [--presets task fast]

ct_cbct: cone beams simulated from a trunk and a lung CT (``cone_beam.py``), which lie a few mm away and
are bent by up to 8 mm; mean error over what the cone beam shows. pet_ct: a PET simulated from the same CTs
(``positron.py``), where the scanner put it, and once with the patient moved by 4 mm. lung_4dct: one
lung at two visits, laid upon each other by the mean shift of its landmarks, since there were no phases of one scan.
head_ct_mr: averages of many heads in CT and T1, one of them turned by 6 degrees and moved by 8 mm.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from cone_beam import AIR, cone_beam  # noqa: E402
from dsir.evaluation.deformation import DeformationSettings, random_deformation  # noqa: E402
from dsir.files.images import read_image  # noqa: E402
from dsir.files.landmarks import read_landmarks  # noqa: E402
from dsir.geometry.body_mask import body_mask  # noqa: E402
from dsir.geometry.image import Image  # noqa: E402
from dsir.geometry.lattice import Lattice  # noqa: E402
from dsir.geometry.occupied import occupied_box  # noqa: E402
from dsir.geometry.sampling import sample  # noqa: E402
from dsir.registration.presets import preset  # noqa: E402
from dsir.registration.register import register  # noqa: E402
from dsir.transforms.composite import Transform  # noqa: E402
from dsir.transforms.field import moved_index  # noqa: E402
from pairs_asked import asked, parser_of  # noqa: E402
from positron import positron_image  # noqa: E402

SCANS = {"trunk": "abdomen_ct_mr/fixed_full.nii.gz", "lung": "lung_ct/fixed.nii.gz"}
KINDS = (*SCANS, "heads", "visits")
FRACTION = DeformationSettings(knots=50.0, amplitude=8.0, rotation=2.0, translation=5.0)
"""A patient between two days of treatment."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Attributes: points (N, 3) of fixed and where they lie in moving, RAS mm."""

    name: str
    task: str
    fixed: Image
    moving: Image
    points: np.ndarray
    there: np.ndarray


def pairs(data: Path, scans: Sequence[str]) -> Iterator[Pair]:
    """Each of its kind, made of these scans."""
    for name in (name for name in SCANS if name in scans):
        whole = read_image(data / SCANS[name])
        ct = whole.on(whole.lattice.with_spacing(max(3.0, float(whole.lattice.spacing.min()))))
        body = body_mask(ct)
        field = random_deformation(ct.lattice, FRACTION, seed=1, mask=body)
        bent = Image(sample((ct.data + 1024)[None], moved_index(field, ct.lattice))[0] - 1024, ct.lattice)
        beam = cone_beam(bent, body_mask(bent), seed=1)
        points = _inside(beam.lattice, body_mask(beam) & body_mask(bent))
        yield Pair(f"{name}, simulated cone beam", "ct_cbct", _seen(beam), ct, points, points + field.at(points))
        pet, points = positron_image(ct, body, seed=1), _inside(ct.lattice, body)
        yield Pair(f"{name}, simulated PET", "pet_ct", ct, pet, points, points)
        shift = np.array([3.0, 2.0, -2.0])
        moved = Lattice(pet.lattice.shape, _shifted(pet.lattice.affine, shift))
        yield Pair(f"{name}, simulated PET 4 mm off", "pet_ct", ct, Image(pet.data, moved), points, points + shift)
    if "heads" in scans:
        yield _turned_head(data / "head_ct_mr_template")
    if "visits" not in scans:
        return
    fixed, moving = (read_image(data / "lung_ct" / f"{side}.nii.gz") for side in ("fixed", "moving"))
    marks = read_landmarks(data / "lung_ct" / "landmarks.csv")
    shift = (marks.fixed - marks.moving).mean(0)
    laid = Image(moving.data, Lattice(moving.lattice.shape, _shifted(moving.lattice.affine, shift)))
    yield Pair("lung, two visits", "lung_4dct", fixed, laid, marks.fixed, marks.moving + shift)


def _turned_head(folder: Path) -> Pair:
    ct, mr = (read_image(folder / f"{side}.nii.gz") for side in ("fixed", "moving"))
    points, centre = _inside(ct.lattice, body_mask(ct)), ct.lattice.centre
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec([2.0, 4.0, 4.0], degrees=True).as_matrix()
    motion[:3, 3] = centre - motion[:3, :3] @ centre + np.array([6.0, -4.0, 3.5])
    moved = Image(mr.data, Lattice(mr.lattice.shape, motion @ mr.lattice.affine))
    return Pair("averaged heads, turned", "head_ct_mr", ct, moved, points, points @ motion[:3, :3].T + motion[:3, 3])


def _seen(beam: Image) -> Image:
    """Cut to what the cone beam sees, as its files are."""
    start, shape = occupied_box(beam.data > AIR, np.zeros(3), beam.lattice.shape)
    cut = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    return Image(beam.data[cut].clone(), beam.lattice.window(start, shape))


def _inside(lattice: Lattice, mask: torch.Tensor, count: int = 5000) -> np.ndarray:
    index = mask.nonzero().numpy()
    return lattice.to_world(index[np.random.default_rng(0).permutation(len(index))[:count]])


def _shifted(affine: np.ndarray, mm: np.ndarray) -> np.ndarray:
    moved = affine.copy()
    moved[:3, 3] += mm
    return moved


def main(arguments: list[str] | None = None) -> int:
    """Register and print a row each."""
    parser = parser_of(__doc__)
    parser.add_argument("--presets", nargs="+", default=["task", "fast"], help="'task': the one of the pair's kind")
    parser.add_argument("--tasks", nargs="+", default=["ct_cbct", "pet_ct", "lung_4dct", "head_ct_mr"])
    parser.add_argument("--scans", nargs="+", default=KINDS, choices=KINDS)
    options = asked(parser, arguments)
    if options is None:
        return 0
    print("| pair | preset | before | after, mean (95 %) | verdict | processor |\n|---|---|---|---|---|---|")
    for pair in pairs(options.data, options.scans):
        for name in options.presets if pair.task in options.tasks else ():
            chosen = pair.task if name == "task" else name
            began = time.process_time()
            found = register(pair.fixed, pair.moving, preset(chosen, threads=1, device="cpu"))
            took = time.process_time() - began
            before, after = (
                np.linalg.norm(t.transform_points(pair.points) - pair.there, axis=1)
                for t in (Transform(), found.transform)
            )
            verdict = found.report["verdict"]
            reasons = ", ".join(reason["code"] for reason in verdict["reasons"])
            error = f"{after.mean():.1f} ({np.quantile(after, 0.95):.1f}) mm"
            cells = [pair.name, chosen, f"{before.mean():.1f} mm", error, f"{verdict['level']} {reasons}"]
            print("| " + " | ".join([*cells, f"{took:.0f} s"]) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
