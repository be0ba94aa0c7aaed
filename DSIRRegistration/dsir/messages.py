"""What must be known of a result, as data: a code and its values. The words belong to the code and stand here.

A :class:`Message` is its English sentence, so whoever only prints needs nothing more. A program reads ``code`` and
``values``, in reports under ``messages`` and in the lines of ``--json-progress``, and never takes a sentence apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

WORDS = {
    "labels_outside": "Outside the fixed image, so not in the result: labels {labels}.",
    "labels_one_voxel": "Smaller than a voxel of the fixed image, kept as one voxel: labels {labels}.",
    "labels_outside_named": "Outside the fixed image, so not in the result: {labels}.",
    "labels_one_voxel_named": "Smaller than a voxel of the fixed image, kept as one voxel: {labels}.",
    "beyond_field": "No place of the {kind} lies on the grid of the displacement field: is it their transform?",
    "inverse_misses": "The {kind} are off by up to {mm:.2f} mm; the field folds.",
    "two_persons": "The scans are said to be of two different persons.",
    "similarity_not_raised": "The deformable stages did not raise the similarity; only the linear alignment is kept.",
    "no_evidence": "Nothing but the similarity itself speaks for a deformation; only the linear alignment is kept. "
    "A deformation that is asked for is kept all the same.",
    "outside_field_of_view": "{percent:.0f} % of the fixed body lies outside the moving image's field of view; "
    "there the field fades to the linear alignment and must not be trusted.",
    "low_similarity": "The similarity after registration is only {similarity:.2f}: the registration has probably "
    "failed. Check that both scans show the same region, or give an initial transform.",
    "scaled": "The linear part scales by {percent:+.1f} %, but both scans show one person, who does not grow between "
    "two scans. Check the voxel sizes of both, or choose the rigid model.",
    "volume_changed": "The deformation changes the body's volume by {percent:+.0f} %, but both scans show one "
    "person. Look whether that can be (lungs that filled, a bladder), or register without a deformation.",
    "coarser_for_memory": "To stay within {limit}, the images were compared on {million:.1f} instead of "
    "{wanted_million:.1f} million voxels.",
    "pairs_left_out": "{count} of {of} pairs lie more than {mm:.3g} mm from where the result puts them and are "
    "likelier wrong than right: they were left out. Take them back, or place the points by hand if you are sure.",
    "start_lowers_similarity": "The transform that was given lowers the similarity of the scans (from {without:.2f} "
    "to {given:.2f}): does it lead from fixed to moving, and belong to these scans?",
    "same_scan": "The fixed and the moving scan are one and the same.",
    "mirrors": "{file} exchanges left and right (its linear part is a mirror): look whether that is meant.",
    "convention_guessed": "{file} does not say whether its vectors are LPS or RAS; {taken} was taken, by which the "
    "images fit better (similarity {similarity:.2f}, not {other:.2f}).",
    "field_unchecked": "{file} was read as displacements in {taken} mm, as its header has it; without both scans "
    "nobody can see whether its numbers are that.",
    "field_fits_otherwise": "The vectors of {file} were read as {taken} mm, as its header has it, but the scans fit "
    "better if they are {how} (similarity {other:.2f}, not {given:.2f}).",
    "slices_missing": "{name} lacks {missing} of its {count} slices (the first is slice {first}); they are "
    "interpolated.",
    "files_unread": "Files that should be DICOM cannot be read: {count} (the first is {first}); slices may be missing.",
    "ct_unscaled": "{name} says no rescale slope and intercept: its values need not be HU.",
    "ct_uneven_scale": "{name} does not rescale its slices alike (slopes from {slope_low:g} to {slope_high:g}, "
    "intercepts from {intercept_low:g} to {intercept_high:g}): its values need not be HU.",
    "ct_negative_slope": "The rescale slope of {name} is negative ({slope:g}): what is stored bright is read as dark. "
    "See whether bone is brighter than air before you take its values for HU.",
    "gantry_straightened": "{name} was taken with the gantry tilted by {degrees:.1f} degrees; it was straightened.",
    "no_suv": "No SUV of the {role} PET: {reason}.",
    "copies_passed_over": "Copies of slices were passed over: {count}.",
    "parts_missing": "{missing} of {count} parts of it (a concatenation) are missing; what is there was read.",
    "parts_unknown": "It was stored in parts (a concatenation) and does not say how many there are: {count} were read, "
    "and a last one that is missing would not be seen.",
    "localiser_left_out": "Left out, as localisers are: {count} of its planes, of another orientation or size.",
}
"""Code to sentence; a list among the values is written with commas."""


class Message(str):
    """A sentence that a program can read.

    >>> message = Message("labels_outside", labels=[2, 5])
    >>> print(message)
    Outside the fixed image, so not in the result: labels 2, 5.
    >>> message.code, message.values
    ('labels_outside', {'labels': [2, 5]})
    """

    code: str
    values: dict[str, Any]

    def __new__(cls, code: str, **values: Any) -> Message:
        """The sentence of a code in :data:`WORDS`."""
        message = super().__new__(cls, sentence(code, values))
        message.code, message.values = code, values
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.code, self.values)


def _again(code: str, values: dict[str, Any]) -> Message:
    return Message(code, **values)


def sentence(code: str, values: dict[str, Any]) -> str:
    """The words of a code; whoever has better names for its values puts them in before."""
    shown = {name: ", ".join(map(str, v)) if isinstance(v, list | tuple) else v for name, v in values.items()}
    return WORDS[code].format(**{name: without_minus_zero(v) for name, v in shown.items()})


def without_minus_zero(value: Any) -> Any:
    """What two digits would show as -0.00 as a plain zero.

    >>> f"{without_minus_zero(-0.001):.2f}"
    '0.00'
    """
    return 0.0 if isinstance(value, float) and -0.005 < value < 0 else value


def once(*said: Iterable[str]) -> tuple[str, ...]:
    """Each sentence once, in order: one series may be read as several of the inputs."""
    return tuple(dict.fromkeys(sentence for sentences in said for sentence in sentences))


def as_data(said: Iterable[str]) -> list[dict[str, Any]]:
    """JSON-ready ``{code, values, text}`` of each; a sentence that no program has to understand has the code "" ."""
    return [{"code": getattr(s, "code", ""), "values": getattr(s, "values", {}), "text": str(s)} for s in said]
