"""``dsir apply``: transform images, labels, points and surfaces."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..errors import DsirError
from ..messages import Message, as_data, once
from ..progress import Progress
from . import options
from .command import Command, Outcome

GRIDDED = ("image", "labels")
KINDS = (*GRIDDED, "points", "mesh")
WRITTEN = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
"""What images and labels are written as; points and surfaces stay what they were."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    options.add_transform(parser, required=True)
    parser.add_argument(
        "--reference", type=Path, metavar="IMAGE", help="the scan whose grid images and labels are to lie on"
    )
    things = parser.add_argument_group("what to transform (one of each kind at most)")
    things.add_argument("--image", type=Path, metavar="IMAGE", help=f"a scan ({options.IMAGE_KINDS})")
    things.add_argument(
        "--labels", type=Path, metavar="LABELS", help="a label map (whole numbers, 0 is background; same kinds)"
    )
    things.add_argument(
        "--points", type=Path, metavar="POINTS", help="points: .csv (x, y, z in RAS mm) or Slicer's .mrk.json, .fcsv"
    )
    things.add_argument("--mesh", type=Path, metavar="MESH", help=f"a surface ({', '.join(options.SURFACES)})")
    parser.add_argument(
        "--invert", action="store_true", help="from fixed to moving instead; --reference is then the moving scan"
    )
    parser.add_argument(
        "--interpolation", choices=("linear", "cubic"), default="linear", help="of --image (default: linear)"
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        "-o",
        required=True,
        type=Path,
        metavar="PATH",
        help="the file to write; with several inputs a folder for all of them",
    )
    options.add_overwrite(output)
    options.add_different_patients(output)
    options.add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    given = {kind: getattr(arguments, kind) for kind in KINDS if getattr(arguments, kind)}
    if not given:
        raise DsirError("There is nothing to transform; give at least one of --image, --labels, --points and --mesh.")
    if set(GRIDDED) & set(given) and not arguments.reference:
        raise DsirError("Images and labels need --reference, the scan whose grid they are to lie on.")
    from ..files.inputs import refuse_input
    from ..files.output_folder import OutputFolder, check_output_folder

    single = len(given) == 1
    if single:
        ((kind, source),) = given.items()
        kinds = WRITTEN if kind in GRIDDED else (source.suffix.lower(),)
        options.check_output_file(arguments.out, kinds, overwrite=arguments.overwrite)
    else:
        check_output_folder(arguments.out, overwrite=arguments.overwrite)
        names = _names(given)
        for name in names.values():
            refuse_input(arguments.out / name)
    options.begin(arguments, progress)
    carry, said = _carrier(arguments, progress)
    if single:
        lines = carry(kind, source, arguments.out)
    else:
        with OutputFolder(arguments.out, overwrite=arguments.overwrite) as folder:
            lines = [line for kind, source in given.items() for line in carry(kind, source, folder.path / names[kind])]
    progress("done", 1.0, "")
    told = (*(f"Note: {sentence}" for sentence in said), *(f"Warning: {sentence}" for sentence in lines))
    return Outcome(
        arguments.out.resolve(), (f"Result in {arguments.out}", *told), {"messages": as_data((*said, *lines))}
    )


def _carrier(
    arguments: argparse.Namespace, progress: Progress
) -> tuple[Callable[[str, Path, Path], list[str]], tuple[str, ...]]:
    """Reads transform and grid once; what carries one thing of a kind from file to file, and what is to be said."""
    from ..dicom.identity import identity_of
    from ..files.dicom_registration import Frames
    from ..files.images import geometry_remarks, read_image, write_image, write_labels
    from ..files.meshes import read_mesh
    from ..files.points import read_points
    from ..rt.label_maps import read_labels
    from ..structures.surfaces_and_points import write_moved
    from ..warp.images import covered, warp_image
    from ..warp.labels import warp_labels
    from ..warp.points import TOLERATED
    from ..workflow.given_transform import read_given_transform, start_warnings, within_fields
    from ..workflow.identity_gate import check_one_person, headers
    from ..workflow.result import label_warnings

    roles = ("reference", "image", "labels")
    said_of = {role: getattr(arguments, role) for role in roles}
    read_first = headers(said_of)
    people = {role: identity_of(header) for role, header in read_first.items()}
    persons = check_one_person(people, different_patients=arguments.different_patients)
    reference = read_image(arguments.reference) if arguments.reference else None
    image = read_image(arguments.image) if arguments.image else None
    fixed, moving = (image, reference) if arguments.invert else (reference, image)
    of_fixed, of_moving = ("image", "reference") if arguments.invert else ("reference", "image")
    given = read_given_transform(
        arguments.transform,
        convention=arguments.field_convention,
        fixed=fixed,
        moving=moving,
        frames=Frames.of(read_first, of_fixed, of_moving),
    )
    transform, grid = given.transform, reference.lattice if reference else None
    pull = transform
    if grid and arguments.invert and any(getattr(arguments, kind) for kind in GRIDDED):
        progress("inverting", 0.2, "solving for the inverse")
        pull = transform.inverse(grid)

    def carry(kind: str, source: Path, target: Path) -> list[str]:
        progress("applying", 0.4 + 0.15 * KINDS.index(kind), kind)
        if kind == "image":
            assert image is not None and grid is not None  # _run() asked for both
            moved = warp_image(image, pull, grid, interpolation=arguments.interpolation)
            if not bool(moved.data.max() > moved.data.min()) and not covered(pull, grid, image.lattice).any():
                raise DsirError(f"Nothing of {source} lies on {arguments.reference} by this transform; is it theirs?")
            write_image(target, moved)
            return []
        if kind == "labels":
            assert grid is not None
            carried = warp_labels(*read_labels(source), pull, grid)
            write_labels(target, carried.labels, grid)
            return label_warnings(carried)
        content = read_points(source) if kind == "points" else read_mesh(source)
        points, missed = write_moved(target, content, transform, to="moving" if arguments.invert else "fixed")
        fixed_points = content.points if arguments.invert else points
        found: list[str] = [*getattr(content, "remarks", ())]
        found += [] if missed < TOLERATED else [Message("inverse_misses", kind=kind, mm=missed)]
        return found if within_fields(transform, fixed_points).any() else [*found, Message("beyond_field", kind=kind)]

    read = [one.remarks for one in (reference, image) if one]
    doubts = start_warnings(transform, fixed, moving)
    return carry, once(persons, given.remarks, doubts, *read, geometry_remarks(arguments.labels, arguments.transform))


def _names(given: dict[str, Path]) -> dict[str, str]:
    """File names in the folder of several results."""
    names = {kind: f"{source.name}.nii.gz" if source.is_dir() else source.name for kind, source in given.items()}
    if len(set(names.values())) < len(names):
        raise DsirError("Two of the inputs have the same file name, so they cannot go to one folder.")
    return names


COMMAND = Command(
    name="apply",
    summary="transform images, labels, points and surfaces",
    description="""\
Bring what was drawn on the moving scan onto the fixed scan: images, label maps, points and surfaces.

The transform is the one dsir register writes (fixed to moving); images and labels are pulled through it, points and
surfaces go through its inverse, solved for each point. With --invert everything goes the other way.""",
    usage="--transform FILE --reference IMAGE --labels LABELS --out FILE",
    example="dsir apply -t result/transform.h5 --reference ct.nii.gz --labels organs.nii.gz -o organs_on_ct.nii.gz",
    arguments=_arguments,
    run=_run,
)
