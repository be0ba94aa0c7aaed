"""``dsir query``: where does this voxel lie in the other image."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..messages import once
from ..progress import Progress, within
from . import options
from .command import Command, Outcome
from .values import count, millimetres

if TYPE_CHECKING:
    from ..similarity.query import Answer


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", required=True, type=Path, metavar="IMAGE", help=f"the scan ({options.IMAGE_KINDS})")
    parser.add_argument("--ras", required=True, type=float, nargs=3, metavar=("X", "Y", "Z"), help="a point in it, mm")
    parser.add_argument("--other", type=Path, metavar="IMAGE", help="the scan to search (default: the same scan)")
    options.add_transform(parser, "from IMAGE to the other, where the search begins", required=False)
    parser.add_argument("--radius", type=millimetres, metavar="MM", help="of the search (default: the whole volume)")
    parser.add_argument(
        "--alone", action="store_true", help="ask by the voxel's own vector; by default its surroundings must fit too"
    )
    parser.add_argument("--runners-up", type=count, default=4, metavar="N", help="how many at most (default: 4)")
    parser.add_argument(
        "--descriptor", metavar="NAME", help="dsir, mind, cnn (untrained) or weights (default: that of dsir register)"
    )
    parser.add_argument(
        "--heat-map", type=Path, metavar="FILE", help="write the similarity with every voxel on the other scan's grid"
    )
    options.add_different_patients(parser)
    options.add_overwrite(parser)
    options.add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    if arguments.heat_map:
        options.check_output_file(arguments.heat_map, options.MAPS, overwrite=arguments.overwrite)
    options.begin(arguments, progress)
    import numpy as np
    import torch

    from ..features.descriptor import load_descriptor
    from ..files.images import read_image, write_image
    from ..geometry.image import Image
    from ..geometry.lattice import check_inside
    from ..registration.settings import RegistrationSettings
    from ..similarity.calibration import chance_within
    from ..similarity.describe import describe_image
    from ..similarity.query import query
    from ..workflow.given_transform import read_given_transform
    from ..workflow.identity_gate import check_one_person, identities

    persons = check_one_person(
        identities({"image": arguments.image, "other_scan": arguments.other}),
        different_patients=arguments.different_patients,
    )
    descriptor = load_descriptor(arguments.descriptor or RegistrationSettings().descriptor)
    point = np.array(arguments.ras)
    image = read_image(arguments.image)
    check_inside(point, image.lattice, str(arguments.image))
    other = read_image(arguments.other) if arguments.other else image
    expected, assumed = None, tuple[str, ...]()
    if arguments.transform:
        given = read_given_transform(
            arguments.transform, convention=arguments.field_convention, fixed=image, moving=other
        )
        expected, assumed = given.transform.transform_points(point[None])[0], given.remarks
    here = describe_image(image, descriptor, progress=within(progress, 0.05, 0.5))
    there = describe_image(other, descriptor, progress=within(progress, 0.5, 0.95)) if arguments.other else here
    answer = query(
        here, point, there, around=expected, radius=arguments.radius,
        runners_up=arguments.runners_up, alone=arguments.alone,
    )  # fmt: skip
    if arguments.heat_map:
        heat = Image(torch.from_numpy(answer.similarity), answer.lattice).on(other.lattice, padding="zeros")
        write_image(arguments.heat_map, heat)
    values = _values(answer, descriptor.name, expected, chance_within(answer, descriptor.identity))
    remarks = list(once(persons, assumed, image.remarks, other.remarks))
    values |= {"warnings": remarks} if remarks else {}
    path = arguments.heat_map.resolve() if arguments.heat_map else None
    return Outcome(path, (json.dumps(values, indent=2),), values, answer=True)


def _values(answer: Answer, descriptor: str, expected: Any, chance: float | None) -> dict[str, Any]:
    """What is said, as plain numbers: mm (RAS), cosines and shares."""

    def peak(found: Any) -> dict[str, Any]:
        return {"ras": _mm(found.point), "similarity": round(found.similarity, 4)}

    values = {
        "descriptor": descriptor,
        "alone": answer.alone,
        "point": _mm(answer.point),
        "best": peak(answer.best),
        "runners_up": [peak(found) for found in answer.runners_up],
        "margin": round(answer.margin, 4),
        "chance_within_4_mm": None if chance is None else round(chance, 3),
    }
    if expected is not None:
        values["expected"] = _mm(expected)
        values["from_expected_mm"] = round(float(((answer.best.point - expected) ** 2).sum() ** 0.5), 2)
    return values


def _mm(point: Any) -> list[float]:
    return [round(float(x), 2) for x in point]


COMMAND = Command(
    name="query",
    summary="find a voxel of one scan in another, by the similarity of their structure",
    description="""\
Find a voxel of one scan in another. Prints JSON: the best match (RAS mm), what competes with it, and the calibrated
chance that it lies within 4 mm of the truth. With --heat-map the similarity with every voxel is written too.""",
    usage="--image IMAGE --ras X Y Z --other IMAGE",
    example="dsir query --image t1.nii.gz --ras -20 12 14 --other t2.nii.gz --heat-map similarity.nii.gz",
    arguments=_arguments,
    run=_run,
)
