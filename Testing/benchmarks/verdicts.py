"""What the verdict says of pairs that are right and of pairs spoiled on purpose.

    python Testing/benchmarks/verdicts.py [--data ../shared/data/cases] [--preset fast] [--only good|spoiled]

Good pairs show one anatomy (or, named so, two persons). Spoiled ones cannot be registered rightly: other body parts,
noise, a scan mirrored left to right, scans kept 60 mm from where they belong. A good pair should not FAIL, a spoiled
one must not PASS.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.errors import DsirError
from dsir.files.images import read_image
from dsir.geometry.image import Image
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear

ROOT = Path(__file__).resolve().parents[2]
GOOD = ("brain_stroke", "brain_t1_t2", "lung_ct", "prostate_t2_adc", "neck_t1_t2", "head_ct_mr_template")
TWO_PERSONS = ("abdomen_ct_mr", "planning_ct_pair")
Case = tuple[str, Image, Image, Transform | None, bool]


def mirrored(image: Image) -> Image:
    """Left and right exchanged, on the same grid."""
    return Image(image.data.flip(0), image.lattice)


def noise(image: Image, seed: int = 0) -> Image:
    """Nothing but noise, as bright as the image."""
    generator = torch.Generator().manual_seed(seed)
    return Image(
        image.data.mean() + image.data.std() * torch.randn(image.data.shape, generator=generator), image.lattice
    )


def shifted(mm: tuple[float, float, float]) -> Transform:
    """A start that is wrong by so much."""
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return Transform((Linear(matrix),))


def good(data: Path) -> Iterator[Case]:
    """Pairs of one anatomy, and of two persons."""
    for name in (*GOOD, *TWO_PERSONS):
        if (data / name).is_dir():
            fixed, moving = (read_image(data / name / f"{side}.nii.gz") for side in ("fixed", "moving"))
            yield name, fixed, moving, None, True
            if name in ("brain_stroke", "lung_ct"):
                yield f"{name} with itself", fixed, fixed, None, True


def spoiled(data: Path) -> Iterator[Case]:
    """Pairs that nobody can register."""
    read = {
        name: [read_image(data / name / f"{side}.nii.gz") for side in ("fixed", "moving")]
        for name in ("brain_stroke", "brain_t1_t2", "lung_ct", "abdomen_ct_mr", "prostate_t2_adc", "planning_ct_pair")
    }
    for one, other in (
        ("brain_stroke", "abdomen_ct_mr"),
        ("brain_t1_t2", "lung_ct"),
        ("lung_ct", "prostate_t2_adc"),
        ("planning_ct_pair", "abdomen_ct_mr"),
        ("prostate_t2_adc", "brain_t1_t2"),
        ("abdomen_ct_mr", "planning_ct_pair"),
    ):
        yield f"{one} and {other}", read[one][0], read[other][1], None, True
    for name in ("brain_stroke", "lung_ct", "abdomen_ct_mr"):
        yield f"{name}, noise", read[name][0], noise(read[name][1]), None, True
    for name in ("lung_ct", "planning_ct_pair", "abdomen_ct_mr"):
        yield f"{name}, mirrored", read[name][0], mirrored(read[name][1]), None, True
    for name, mm in (
        ("brain_stroke", (60.0, 0, 0)),
        ("brain_t1_t2", (0, 60.0, 0)),
        ("lung_ct", (0, 0, 80.0)),
        ("prostate_t2_adc", (40.0, 30.0, 0)),
    ):
        yield f"{name}, kept {sum(v * v for v in mm) ** 0.5:.0f} mm off", *read[name], shifted(mm), False


def main(arguments: list[str] | None = None) -> int:
    """Register each, print a line each and the shares; exit code 0 also where the data are absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/cases", metavar="FOLDER")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--only", choices=("good", "spoiled"))
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        print(f"Nothing to judge: {options.data} is not there.")
        return 0
    settings = preset(options.preset)
    counts: dict[str, dict[str, int]] = {}
    for kind, cases in (("good", good), ("spoiled", spoiled)):
        if options.only in (None, kind):
            counts[kind] = {"PASS": 0, "CHECK": 0, "FAIL": 0}
            for case in cases(options.data):
                level, line = judged(settings, case)
                counts[kind][level] += 1
                print(f"{kind:8} {level:6} {line}", flush=True)
    for kind, found in counts.items():
        print(f"{kind}: " + ", ".join(f"{count} {level}" for level, count in found.items()))
    return 0


def judged(settings: RegistrationSettings, case: Case) -> tuple[str, str]:
    """The level and a line."""
    name, fixed, moving, start, searched = case
    if not searched:  # the start is kept: no search that would mend it, and no deformation beyond a few mm
        settings = replace(
            settings, linear=replace(settings.linear, model="none"), discrete=replace(settings.discrete, enabled=False)
        )
    began = time.perf_counter()
    try:
        report = register(fixed, moving, settings, initial=start).report
    except DsirError as error:
        return "FAIL", f"{name}: refused ({error})"
    verdict, linear = report["verdict"], report["linear"]
    reasons = "; ".join(reason["code"] for reason in verdict["reasons"]) or "-"
    volume = report["deformation"]["volume"]
    return verdict["level"], (
        f"{name}: {reasons} | model {linear['model']}, similarity {report['similarity']['end']:.2f}, "
        f"volume x{volume:.3f}, "
        f"{time.perf_counter() - began:.0f} s of which verdict {report['seconds']['verdict']:.1f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
