"""``dsir figure``: the similarity of one voxel with everything, as a picture for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import DsirError
from ..progress import Progress, within
from . import options
from .command import Command, Outcome
from .values import millimetres

PLANES = ("axial", "coronal", "sagittal")
KINDS = (".png", ".pdf", ".svg")
SHOWN = ["cnn", "mind", "dsir"]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", required=True, type=Path, metavar="IMAGE", help=f"the scan ({options.IMAGE_KINDS})")
    parser.add_argument("--ras", required=True, type=float, nargs=3, metavar=("X", "Y", "Z"), help="a point in it, mm")
    parser.add_argument(
        "--other", type=Path, action="append", default=[], metavar="IMAGE",
        help="a row for another scan, aligned with the first or by --transform; may be given again",
    )  # fmt: skip
    options.add_transform(parser, "from IMAGE to the other scans", required=False)
    parser.add_argument(
        "--unknown", action="store_true", help="the other scans are not aligned: draw no true place in them"
    )
    parser.add_argument("--plain", action="store_true", help="no rows of the same scan in made-up contrasts")
    parser.add_argument(
        "--descriptors", nargs="+", default=SHOWN, metavar="NAME", help="columns (default: cnn mind dsir)"
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        help="by the voxel's own vector, as in the paper; else its surroundings must fit too",
    )
    parser.add_argument("--plane", choices=PLANES, default="axial", help="(default: axial)")
    parser.add_argument(
        "--zoom", type=millimetres, metavar="MM", help="side of the part shown (default: the whole body)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the made-up contrasts (default: 0)")
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FILE", help="a .png, .pdf or .svg to write")
    options.add_different_patients(parser)
    options.add_overwrite(parser)
    options.add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    options.check_output_file(arguments.out, KINDS, overwrite=arguments.overwrite)
    options.begin(arguments, progress)
    import numpy as np

    from ..features.descriptor import load_descriptor
    from ..files.atomic import complete_file
    from ..files.images import read_image
    from ..geometry.lattice import check_inside
    from ..similarity.compare import Partner, augmented, compare
    from ..similarity.figure import draw, write
    from ..workflow.given_transform import read_given_transform
    from ..workflow.identity_gate import check_one_person, identities

    others = {"other_scan" if n == 0 else f"other_scan_{n + 1}": path for n, path in enumerate(arguments.other)}
    persons = check_one_person(
        identities({"image": arguments.image, **others}), different_patients=arguments.different_patients
    )
    descriptors = [load_descriptor(name) for name in arguments.descriptors]
    point = np.array(arguments.ras)
    image = read_image(arguments.image)
    check_inside(point, image.lattice, str(arguments.image))
    place, said = point, [*persons, *image.remarks]
    if arguments.transform:
        first = read_image(arguments.other[0]) if arguments.other else None
        given = read_given_transform(
            arguments.transform, convention=arguments.field_convention, fixed=image, moving=first
        )
        place = given.transform.transform_points(point[None])[0]
        said += given.remarks
    rows = augmented(image, point, seed=arguments.seed)[: 1 if arguments.plain else None]
    for path in arguments.other:
        other = read_image(path)
        if not arguments.unknown and not other.lattice.contains(place):
            raise DsirError(f"The point lies outside {path}; give --transform, or --unknown if nobody knows its place.")
        name = path.name.split(".")[0]
        rows.append(Partner(name, other, None if arguments.unknown else place))
    findings = compare(image, point, rows, descriptors, alone=arguments.alone, progress=within(progress, 0.05, 0.95))
    figure = draw(rows, findings, plane=arguments.plane, zoom=arguments.zoom)
    with complete_file(arguments.out) as temporary:
        write(figure, temporary, arguments.out.suffix[1:].lower())
    table = [
        {
            "image": partner.name,
            "descriptor": finding.descriptor,
            "distance_mm": None if finding.distance is None else round(finding.distance, 2),
            "rivals": finding.rivals,
        }
        for partner, row in zip(rows, findings, strict=True)
        for finding in row
    ]
    told = (f"The figure is {arguments.out}", *(f"Note: {sentence}" for sentence in dict.fromkeys(said)))
    return Outcome(arguments.out.resolve(), told, {"findings": table})


COMMAND = Command(
    name="figure",
    summary="draw where each descriptor sees a voxel again (Figure 1 of the paper)",
    description="""\
Draw the cosine similarity of one voxel's descriptor with every voxel of other images: rows are the scan itself, the
same anatomy in made-up contrasts, and other scans; columns the untrained network, MIND and DSIR, on one scale.""",
    usage="--image IMAGE --ras X Y Z --out FILE",
    example="dsir figure --image t1.nii.gz --ras -20 12 14 --other t2.nii.gz -o figure1.pdf",
    arguments=_arguments,
    run=_run,
)
