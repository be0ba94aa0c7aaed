"""``dsir features``: the descriptor of every voxel, for other people's registration programs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DsirError
from ..progress import Progress, within
from . import options
from .command import Command, Outcome
from .values import count, millimetres

if TYPE_CHECKING:
    import torch

DEFAULT_SPACING = 2.0
"""mm, for descriptors that are at home at any spacing."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        required=True,
        type=Path,
        nargs="+",
        metavar="IMAGE",
        help=f"the scan, or both of a pair ({options.IMAGE_KINDS})",
    )
    parser.add_argument(
        "--mask", type=Path, nargs="+", metavar="MASK", help="the body (above zero) of each; found by itself otherwise"
    )
    parser.add_argument(
        "--out",
        "-o",
        required=True,
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"the file to write, one for each scan ({' '.join(options.MAPS)})",
    )
    parser.add_argument(
        "--descriptor", metavar="NAME", help=f"{options.DESCRIPTOR_KINDS} (default: that of dsir register)"
    )
    parser.add_argument(
        "--spacing",
        type=millimetres,
        metavar="MM",
        help="voxel size of the result (default: what the descriptor is for)",
    )
    form = parser.add_argument_group("form")
    fewer = form.add_mutually_exclusive_group()
    fewer.add_argument("--channels", type=count, nargs="+", metavar="N", help="only these channels, counted from 0")
    fewer.add_argument(
        "--components",
        type=count,
        metavar="N",
        help="so many principal components instead of all channels; found over all scans given, the same for each",
    )
    form.add_argument(
        "--masked", action="store_true", help="zero outside the body and a rim, so that air is not matched with air"
    )
    form.add_argument(
        "--separate",
        action="store_true",
        help="one 3-D file a channel, FILE_00.nii.gz and so on, for programs that read scalar images only",
    )
    options.add_overwrite(parser)
    options.add_memory(options.add_machine(parser))


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    _check(arguments)
    options.begin(arguments, progress)
    import torch

    from ..features.descriptor import load_descriptor
    from ..features.extraction import extract, working_lattice
    from ..files.images import read_image, read_mask, write_features
    from ..geometry.body_mask import body_mask
    from ..geometry.image import Image
    from ..registration.memory import piece_of_features
    from ..registration.preparation import device_named
    from ..registration.settings import RegistrationSettings
    from ..registration.working_grid import grown

    name = arguments.descriptor or RegistrationSettings().descriptor
    descriptor = load_descriptor(name, device_named(arguments.device))
    spacing = arguments.spacing or descriptor.spacing or DEFAULT_SPACING
    features, bodies, lattices = [], [], []
    for n, path in enumerate(arguments.input):
        here = within(progress, 0.8 * n / len(arguments.input), 0.8 * (n + 1) / len(arguments.input))
        here("reading", 0.1, f"reading {path.name}")
        image = read_image(path)
        inside = read_mask(arguments.mask[n], image.lattice) if arguments.mask else body_mask(image)
        body = Image(inside.float(), image.lattice)
        target = working_lattice(image.lattice, spacing)
        whole = piece_of_features(image.lattice, target, descriptor, arguments.memory or 0)
        with torch.inference_mode():
            values, lattice = extract(
                image, descriptor, spacing=spacing, mask=body, whole=whole, progress=within(here, 0.2, 1)
            )
        inside = body.on(lattice, padding="zeros").data
        features.append(values * grown(inside) if arguments.masked else values)
        bodies.append(inside > 0.5)
        lattices.append(lattice)
    features = _fewer(features, bodies, arguments)
    progress("writing", 0.8, "writing the files")
    lines = []
    for path, values, lattice in zip(arguments.out, features, lattices, strict=True):
        if arguments.separate:
            for n, channel in enumerate(values):
                write_features(_numbered(path, n), channel[None], lattice)
        else:
            write_features(path, values, lattice)
        size = " x ".join(str(n) for n in lattice.shape)
        lines.append(f"{path}: {descriptor.name}, {values.shape[0]} channels, {size} voxels of {spacing:g} mm")
    return Outcome(
        arguments.out[0].resolve(),
        tuple(lines),
        {"channels": features[0].shape[0], "shape": list(lattices[0].shape), "spacing": spacing},
    )


def _check(arguments: argparse.Namespace) -> None:
    for given in (arguments.out, arguments.mask):
        if given is not None and len(given) != len(arguments.input):
            raise DsirError(f"{len(arguments.input)} scans need as many masks and files to write, not {len(given)}.")
    if len({path.resolve() for path in arguments.out}) < len(arguments.out):
        raise DsirError("Each scan needs a file of its own to write.")
    for path in arguments.out:
        first = _numbered(path, 0) if arguments.separate else path
        options.check_output_file(first, options.MAPS, overwrite=arguments.overwrite)


def _fewer(
    features: list[torch.Tensor], bodies: Sequence[torch.Tensor], arguments: argparse.Namespace
) -> list[torch.Tensor]:
    """The channels or components that were asked for."""
    there = features[0].shape[0]
    if arguments.channels and max(arguments.channels) >= there:
        raise DsirError(f"There is no channel {max(arguments.channels)}; the last of {there} is {there - 1}.")
    if arguments.channels:
        return [values[arguments.channels] for values in features]
    if arguments.components is None:
        return features
    if not 1 <= arguments.components <= there:
        raise DsirError(f"There are 1 to {there} components, not {arguments.components}.")
    from ..features.components import principal_components

    return principal_components(features, bodies, arguments.components)


def _numbered(path: Path, channel: int) -> Path:
    kind = next((kind for kind in (".nii.gz", *options.MAPS) if path.name.lower().endswith(kind)), "")
    stem = path.name[: len(path.name) - len(kind)]
    return path.with_name(f"{stem}_{channel:02d}{path.name[len(stem) :]}")


COMMAND = Command(
    name="features",
    summary="write the structural representation of a scan, for use in other programs",
    description="""\
Write the structural representation of a scan on an isotropic grid with the scan's own directions: 4-D NIfTI
(X, Y, Z, C), or NRRD or MHA with C numbers a voxel. Each voxel's vector has length 1: the dot product of two vectors is
their cosine similarity. Docs/recipes.md shows how ANTs, elastix and ConvexAdam register with it.""",
    usage="--input IMAGE ... --out FILE ...",
    example="dsir features --input ct.nii.gz mr.nii.gz -o ct_dsir.nii.gz mr_dsir.nii.gz --descriptor dsir "
    "--components 4 --masked",
    arguments=_arguments,
    run=_run,
)
