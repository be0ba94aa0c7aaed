"""Options that several commands share, and the settings they make."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DsirError
from ..registration.preset_words import TASK_WORDS, WORDS
from .settings_file import merged, read_settings_file
from .values import above_zero, count, mebibytes, millimetres

if TYPE_CHECKING:
    from ..progress import Progress
    from ..registration.settings import RegistrationSettings

TASKS, PRESETS = tuple(TASK_WORDS), tuple(WORDS)

DEVICES = ("auto", "cpu", "cuda", "mps")

DESCRIPTOR_KINDS = (
    "dsir (learned), mind (self-similarity), cnn (the untrained network), or weights that dsir train wrote"
)
IMAGE_KINDS = "NIfTI, NRRD, MHA, or a folder with one DICOM series"
TRANSFORM_KINDS = ".h5, .tfm, or a displacement field as .nii.gz or .nrrd"
SURFACES = (".vtp", ".vtu", ".vtk", ".stl", ".ply", ".obj", ".gii")
POINTS = (".json", ".fcsv", ".csv")
"""Suffixes that dsir.structures.surfaces_and_points reads, named here so that ``--help`` need not load torch; a test
holds them equal."""


def add_machine(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Where to compute; gives the group, for what else belongs there."""
    group = parser.add_argument_group("machine")
    group.add_argument("--device", choices=DEVICES, help="where to compute (default: auto, a GPU when there is one)")
    group.add_argument("--threads", type=count, metavar="N", help="CPU threads (default: 0, as many as are idle)")
    return group


def add_memory(parser: argparse._ActionsContainer) -> None:
    """How much memory may be taken."""
    parser.add_argument(
        "--memory",
        type=mebibytes,
        metavar="SIZE",
        help="stay below this, as 8GB or 6000MiB: smaller pieces first, then fewer voxels compared, which the report "
        "says (default: no limit)",
    )


MAPS = (".nii", ".nii.gz", ".nrrd", ".mha")
"""What maps and features are written as."""


def add_transform(parser: argparse._ActionsContainer, meaning: str = "fixed to moving", *, required: bool) -> None:
    """The transform that is given, and how its file is to be read."""
    parser.add_argument(
        "--transform", "-t", required=required, type=Path, metavar="FILE", help=f"{meaning} ({TRANSFORM_KINDS})"
    )
    add_field_convention(parser)


def add_field_convention(parser: argparse._ActionsContainer) -> None:
    """What a field's vectors are where its file does not say it."""
    parser.add_argument(
        "--field-convention",
        choices=("lps", "ras"),
        help="what a field's vectors are (default: what its file says; where it does not, what fits the images)",
    )


MODELS = ("auto", "none", "translation", "rigid", "similarity", "affine")
"""Those of dsir.registration.linear; the same test."""


def add_preset(parser: argparse._ActionsContainer) -> None:
    """Options for a preset by name, and for settings from a file."""
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        metavar="NAME",
        default="default",
        help="for a task or a speed; 'dsir presets' lists them with reasons (default: default)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE.json",
        help="settings on top of the preset, as report.json holds them; options given here win over the file",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one setting, e.g. descent.levels.0.stiffness.bending=20; 'dsir settings' explains each; may be "
        "given more than once",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """How to register: preset, settings file, and the few settings worth an option."""
    group = parser.add_argument_group("settings")
    add_preset(group)
    group.add_argument(
        "--model", choices=MODELS, help="the linear part: shift, turn, scale, shear, as far as it may go"
    )
    group.add_argument(
        "--deformable", action=argparse.BooleanOptionalAction, help="whether a deformation follows the linear part"
    )
    group.add_argument("--rigid", action="store_true", help="the same as --model rigid --no-deformable")
    group.add_argument("--spacing", type=millimetres, metavar="MM", help="voxel size at which the scans are compared")
    group.add_argument(
        "--capture", type=millimetres, metavar="MM", help="the largest displacement that is searched for"
    )
    group.add_argument(
        "--stiffness", type=above_zero, metavar="FACTOR", help="2: twice as stiff as the preset; 0.5: half"
    )
    group.add_argument(
        "--descriptor",
        metavar="NAME",
        help=f"how the scans are compared: {DESCRIPTOR_KINDS} (default: the preset's)",
    )
    group.add_argument("--seed", type=int, metavar="N", help="of every random choice (default: 0)")


def add_different_patients(parser: argparse._ActionsContainer) -> None:
    """Permission to go from one person to another."""
    parser.add_argument(
        "--different-patients",
        action="store_true",
        help="the scans may be of two persons; without it, DICOM whose patients differ is refused",
    )


def add_overwrite(parser: argparse._ActionsContainer) -> None:
    """Permission to replace."""
    parser.add_argument("--overwrite", action="store_true", help="replace a result that is already there")


def settings_from(arguments: argparse.Namespace) -> RegistrationSettings:
    """Preset, then file, then options.

    Raises:
        DsirError: the file is not JSON, a setting does not exist, or two options contradict each other.
    """
    from ..registration.explanations import changed
    from ..registration.presets import preset
    from ..registration.settings import RegistrationSettings

    settings = preset(arguments.preset)
    if arguments.settings:
        settings = RegistrationSettings.from_json(merged(settings.to_json(), read_settings_file(arguments.settings)))
    settings = changed(settings, getattr(arguments, "set", ()))
    names = ("descriptor", "spacing", "deformable", "device", "threads", "seed", "memory")
    chosen = {name: getattr(arguments, name, None) for name in names}
    settings = replace(settings, **{name: value for name, value in chosen.items() if value is not None})
    model = getattr(arguments, "model", None)
    if getattr(arguments, "rigid", False):
        if model not in (None, "rigid") or chosen["deformable"]:
            raise DsirError("--rigid says --model rigid and --no-deformable; leave the other option out.")
        model, settings = "rigid", replace(settings, deformable=False)
    if model is not None:
        settings = replace(settings, linear=replace(settings.linear, model=model))
    if (capture := getattr(arguments, "capture", None)) is not None:
        settings = settings.capturing(capture)
    if (stiffness := getattr(arguments, "stiffness", None)) is not None:
        settings = settings.stiffer(stiffness)
    return settings


def check_output_file(path: Path, kinds: tuple[str, ...], *, overwrite: bool) -> None:
    """Say before the work what would stop its result from being written.

    Raises:
        DsirError: another kind of file, one that is there already, an input, a device, or a folder that is missing.
    """
    from ..files.atomic import refuse_special
    from ..files.inputs import refuse_input

    refuse_special(path)
    refuse_input(path)
    if path.exists() and not overwrite:
        raise DsirError(f"{path} exists already; choose another name or say --overwrite.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise DsirError(
            f"{folder} is a file, no folder." if folder.exists() else f"The folder {folder} does not exist."
        )
    if kinds and not path.name.lower().endswith(kinds):
        raise DsirError(f"{path} must end in {' or '.join(kinds)}.")


def begin(arguments: argparse.Namespace, progress: Progress) -> None:
    """Say that the engine is being loaded, and set the machine up before it is."""
    progress("reading", 0.0, "loading the engine")
    use_threads(arguments.threads)


def use_threads(threads: int | None) -> None:
    """Let torch use so many CPU threads; for 0 or None as many as there are idle processors, and no more than it would.

    To be called before torch is loaded: on a busy machine OpenMP's threads are told to sleep while they wait.
    """
    from ..processors import at_most, available, sensible_threads

    wanted = at_most(threads) if threads else sensible_threads()
    if wanted < available():
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    torch.set_num_threads(wanted if threads else min(wanted, torch.get_num_threads()))
