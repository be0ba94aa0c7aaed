"""``dsir confidence``: where not to trust a registration."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..messages import once
from ..progress import Progress, within
from . import options
from .command import Command, Outcome


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fixed", required=True, type=Path, metavar="IMAGE", help=f"the fixed scan ({options.IMAGE_KINDS})"
    )
    parser.add_argument("--moving", required=True, type=Path, metavar="IMAGE", help="the moving scan (same kinds)")
    options.add_transform(parser, required=True)
    parser.add_argument("--mask", type=Path, metavar="MASK", help="where to look in fixed; found by itself otherwise")
    parser.add_argument("--labels", type=Path, metavar="LABELS", help="structures on the fixed scan, judged one by one")
    parser.add_argument("--names", type=Path, metavar="FILE.csv", help="names of the labels, columns value,name")
    parser.add_argument("--descriptor", metavar="NAME", help="dsir (default), mind or weights")
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FILE", help="the map, 0 to 1, about 4 mm")
    options.add_different_patients(parser)
    options.add_overwrite(parser)
    options.add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    options.check_output_file(arguments.out, options.MAPS, overwrite=arguments.overwrite)
    options.begin(arguments, progress)
    from ..features.descriptor import load_descriptor
    from ..files.images import read_image, read_mask, write_image
    from ..rt.label_maps import read_labels
    from ..similarity.confidence import DOUBTFUL, SURE, confidence_of
    from ..structures.label_names import read_names
    from ..workflow.given_transform import read_given_transform
    from ..workflow.identity_gate import check_one_person, identities

    persons = check_one_person(
        identities({"fixed": arguments.fixed, "moving": arguments.moving}),
        different_patients=arguments.different_patients,
    )
    descriptor = load_descriptor(arguments.descriptor or "dsir")
    fixed, moving = read_image(arguments.fixed), read_image(arguments.moving)
    mask = read_mask(arguments.mask, fixed.lattice) if arguments.mask else None
    labels = read_labels(arguments.labels) if arguments.labels else None
    names = read_names(arguments.names) if arguments.names else {}
    given = read_given_transform(
        arguments.transform, convention=arguments.field_convention, fixed=fixed, moving=moving, fixed_mask=mask
    )
    transform = given.transform
    found = confidence_of(fixed, moving, transform, descriptor, mask=mask, progress=within(progress, 0.1, 0.95))
    write_image(arguments.out, found.image())
    inside = found.confidence[found.body]
    doubtful = float((inside < DOUBTFUL).float().mean()) if len(inside) else 1.0
    sure = float((inside >= SURE).float().mean()) if len(inside) else 0.0
    lines = [f"The map is {arguments.out}; {100 * doubtful:.0f} % of the body is doubtful (below {DOUBTFUL:g})."]
    if found.calibrated:
        lines.append(f"{100 * sure:.0f} % is sure ({SURE:g} and above).")
    else:
        lines.append("It ranks places; this descriptor has no calibrated probabilities.")
    lines += [f"Note: {sentence}" for sentence in once(persons, given.remarks, fixed.remarks, moving.remarks)]
    rows = found.structures(*labels, names) if labels else []
    for row in sorted(rows, key=lambda row: row.confidence):
        lines.append(
            f"{row.name:>24}  confidence {row.confidence:.2f}, {100 * row.doubtful:3.0f} % doubtful, "
            f"best match {row.distance:.1f} mm away"
        )
    values = {
        "doubtful": round(doubtful, 4),
        "sure": round(sure, 4) if found.calibrated else None,
        "calibrated": found.calibrated,
        "affine": found.lattice.affine.tolist(),
        "structures": {
            row.name: {
                "confidence": round(row.confidence, 4),
                "doubtful": round(row.doubtful, 4),
                "distance_mm": round(row.distance, 2),
            }
            for row in rows
        },
    }
    return Outcome(arguments.out.resolve(), tuple(lines), values)


COMMAND = Command(
    name="confidence",
    summary="map where not to trust a registration, and say it for each structure",
    description="""\
Judge a transform by the images alone: around each fixed voxel the best match in the moving scan is looked for, and the
way back from it. Where that ends elsewhere, or much else looks alike, the transform is not to be trusted.""",
    usage="--fixed IMAGE --moving IMAGE --transform FILE --out FILE",
    example="dsir confidence --fixed ct.nii.gz --moving mr.nii.gz -t result/transform.h5 -o confidence.nii.gz",
    arguments=_arguments,
    run=_run,
)
