"""``dsir features``: the descriptor of every voxel, for other people's registration programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..progress import Progress, within
from .command import Command, Outcome
from .options import (
    DESCRIPTOR_KINDS,
    IMAGE_KINDS,
    add_machine,
    add_overwrite,
    check_output_file,
    device_from,
    millimetres,
    use_threads,
)

DEFAULT_SPACING = 2.0
"""mm, for descriptors that are at home at any spacing."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", required=True, type=Path, metavar="IMAGE", help=f"the scan ({IMAGE_KINDS})")
    parser.add_argument("--mask", type=Path, metavar="MASK", help="the body (above zero); found by itself otherwise")
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FILE.nii.gz", help="the file to write")
    parser.add_argument(
        "--descriptor",
        metavar="NAME",
        help=f"{DESCRIPTOR_KINDS} (default: that of dsir register)",
    )
    parser.add_argument(
        "--spacing",
        type=millimetres,
        metavar="MM",
        help="voxel size of the result (default: what the descriptor is for)",
    )
    add_overwrite(parser)
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    check_output_file(arguments.out, (".nii", ".nii.gz"), overwrite=arguments.overwrite)
    progress("reading", 0.0, "loading the engine")
    use_threads(arguments.threads)
    import torch

    from ..body import body_mask
    from ..features.descriptor import load_descriptor
    from ..features.extraction import extract
    from ..files.images import read_image, read_mask, write_features
    from ..image import Image
    from ..registration.settings import RegistrationSettings

    descriptor = load_descriptor(
        arguments.descriptor or RegistrationSettings().descriptor, device_from(arguments.device)
    )
    progress("reading", 0.1, "reading the image")
    image = read_image(arguments.input)
    body = read_mask(arguments.mask, image.lattice) if arguments.mask else body_mask(image)
    spacing = arguments.spacing or descriptor.spacing or DEFAULT_SPACING
    with torch.inference_mode():
        features, lattice = extract(
            image,
            descriptor,
            spacing=spacing,
            mask=Image(body.float(), image.lattice),
            progress=within(progress, 0.2, 0.7),
        )
    progress("writing", 0.7, "writing the file")
    write_features(arguments.out, features, lattice)
    size = " x ".join(str(n) for n in lattice.shape)
    return Outcome(
        arguments.out.resolve(),
        (f"{arguments.out}: {descriptor.name}, {features.shape[0]} channels, {size} voxels of {spacing:g} mm",),
        {"channels": features.shape[0], "shape": list(lattice.shape), "spacing": spacing},
    )


COMMAND = Command(
    name="features",
    summary="write the structural representation of a scan, for use in other programs",
    description="""\
Write the structural representation of a scan as a 4-D NIfTI (X, Y, Z, C) on an isotropic grid with the scan's own
directions. Each voxel's vector has length 1: the dot product of two vectors is their cosine similarity.""",
    usage="--input IMAGE --out FILE.nii.gz",
    example="dsir features --input ct.nii.gz -o features.nii.gz --spacing 2",
    arguments=_arguments,
    run=_run,
)
