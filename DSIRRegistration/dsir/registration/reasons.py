"""The sentences of those reasons that name lengths, made of their values, in whatever unit these are.

Small animals are registered as if they were as large as people (:mod:`.magnification`): then the values are brought
back first, and the sentence is made of them, so that nobody reads the millimetres of an enlarged mouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, log10

from .body_places import Places
from .findings import Finding, Level

WORDS = {
    "better_nearby": "Shifted by {shift_mm:.{whole}f} mm the scans agree better: look whether the outlines lie on each "
    "other.",
    "better_in_parts": "In {parts:.0f} of {of:.0f} parts of the body the scans agree better when shifted by "
    "{step_mm:.{whole}f} mm: look at the outlines, most around R {right_mm:.{whole}f}, A {front_mm:.{whole}f}, "
    "S {top_mm:.{whole}f} mm.",
    "deformation_shifts": "The deformation shifts the body by {shift_mm:.{whole}f} mm as a whole, which the linear "
    "part should have done: look at both ends, or begin from a better start.",
    "halves_differ": "Two halves of what describes the scans put the body {apart_mm:.{tenth}f} mm apart: it shows too "
    "little to be matched to within {within_mm:.{whole}f} mm. Look at the outlines.",
    "no_better_than_start": "The body was moved by {moved_mm:.{whole}f} mm, and mutual information does not say that "
    "this is better.",
    "not_a_peak": "Pushed aside by {aside_mm:.{whole}f} mm the scans agree as well or better: this is not the right "
    "place.",
    "weak_peak": "Pushed aside by {aside_mm:.{whole}f} mm the scans agree hardly worse in {hardly_worse:.0f} of "
    "{directions:.0f} directions: look whether this is the right place.",
}
"""Code to sentence: whole millimetres, and tenths, for a body of people's size."""

THERE = {
    "better_in_parts": "It lies in a part of the body where the scans agree better when shifted by "
    "{step_mm:.{whole}f} mm{unseen}.",
}
"""Code to what is said of a structure that lies in one of its places; elsewhere no length is named."""

OR_UNSEEN = ", or where too little is seen to tell"
"""Parts that cannot be judged are not vouched for where others are off."""


def reason(code: str, level: Level, values: dict[str, float], places: Places | None = None) -> Finding:
    """A reason whose sentence is made of its values, those that end in ``_mm`` in a person's millimetres."""
    return _said(Finding(code, level, "", values, places), 1.0)


def in_true_lengths(found: Finding, factor: float) -> Finding:
    """A reason found in scans ``factor`` times as large: its values, its places and its sentences."""
    values = {name: value / factor if name.endswith("_mm") else value for name, value in found.values.items()}
    places = found.places and found.places.scaled(1 / factor)
    return _said(replace(found, values=values, places=places), factor)


def _said(found: Finding, factor: float) -> Finding:
    """With its sentences made anew, where they name lengths."""
    if found.code not in WORDS:
        return found
    text, places = _sentence(WORDS[found.code], found.values, factor), found.places
    if places is not None and found.code in THERE:
        places = replace(places, words=_sentence(THERE[found.code], found.values, factor))
    return replace(found, text=text, places=places)


def _sentence(words: str, values: Mapping[str, float], factor: float) -> str:
    """As many more digits as the lengths are smaller."""
    more = max(0, ceil(log10(factor)))
    shown = {name: 0.0 if -0.05 * 10.0**-more < value < 0 else value for name, value in values.items()}  # no "-0.0"
    unseen = OR_UNSEEN if values.get("unseen_parts") else ""
    return words.format(**shown, whole=more, tenth=more + 1, unseen=unseen)
