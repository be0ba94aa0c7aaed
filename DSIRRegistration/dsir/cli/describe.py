"""``dsir describe``: the features of a scan, ready to be asked by the panels."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..progress import Progress, within
from .command import Command, Outcome
from .options import IMAGE_KINDS, add_machine, add_overwrite, begin, check_output_file
from .values import millimetres


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", required=True, type=Path, metavar="IMAGE", help=f"the scan ({IMAGE_KINDS})")
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FILE.npy", help="the file to write")
    parser.add_argument(
        "--descriptor", metavar="NAME", help="dsir, mind, cnn (untrained) or weights (default: that of dsir register)"
    )
    parser.add_argument("--mask", type=Path, metavar="MASK", help="the body (above zero); found by itself otherwise")
    parser.add_argument(
        "--spacing", type=millimetres, metavar="MM", help="voxel size (default: what the descriptor is for)"
    )
    add_overwrite(parser)
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    check_output_file(arguments.out, (".npy",), overwrite=arguments.overwrite)
    begin(arguments, progress)
    from ..features.descriptor import load_descriptor
    from ..files.images import read_image, read_mask
    from ..registration.settings import RegistrationSettings
    from ..similarity.describe import describe_image
    from ..similarity.store import write_store

    descriptor = load_descriptor(arguments.descriptor or RegistrationSettings().descriptor)
    image = read_image(arguments.input)
    mask = read_mask(arguments.mask, image.lattice) if arguments.mask else None
    part = within(progress, 0.1, 0.95)
    store = describe_image(image, descriptor, mask=mask, spacing=arguments.spacing, progress=part)
    write_store(arguments.out, store)
    size = " x ".join(str(n) for n in store.lattice.shape)
    return Outcome(
        arguments.out.resolve(),
        (f"{arguments.out}: {descriptor.name}, {store.channels} numbers for {size} voxels of {store.spacing:g} mm",),
        {"descriptor": descriptor.name, "channels": store.channels, "shape": list(store.lattice.shape)},
    )


COMMAND = Command(
    name="describe",
    summary="store the features of a scan for clicking (Slicer panel, browser viewer)",
    description="""\
Compute the descriptor of every voxel once and store it in a byte each, along the patient's axes, so that dragging a
point gets its answer in milliseconds and without torch. To use features in other programs see dsir features.""",
    usage="--input IMAGE --out FILE.npy",
    example="dsir describe --input ct.nii.gz -o ct_features.npy",
    arguments=_arguments,
    run=_run,
)
