"""What the page says of each control when the mouse rests on it, with units; screen readers read the same."""

from __future__ import annotations

TIPS = {
    "dsir-compute": "describe both scans; needed before a click",
    "dsir-accept": "keep this match: the pair pulls on the registration (A)",
    "dsir-undo": "undo: the last change of pairs or result (U, Ctrl+Z)",
    "dsir-redo": "redo what was undone (Y, Ctrl+Y)",
    "dsir-register": "find where each fixed point lies in the moving scan",
    "dsir-refine": "improve the present result, steered by the accepted matches",
    "dsir-cancel": "stop what is running; nothing is changed",
    "dsir-preset": "for what kind of scans, or how long it may take",
    "dsir-picture": "what is seen, as PNG, into the folder given with --out (P)",
    "dsir-save": "pairs (CSV in RAS mm, .mrk.json) and the result into the folder given with --out",
    "dsir-scene": "everything as scene.mrb, which 3D Slicer opens",
    "dsir-fit": "show the whole scans (F)",
    "dsir-keys": "which keys do what (?)",
    "dsir-window": "grey values; HU windows change CTs alone, right drag changes any scan (keys 1 to 6)",
    "dsir-descriptor": "dsir: the learned representation; mind: MIND-SSC; cnn: the network untrained",
    "dsir-threshold": "heat map: similarity (cosine, 0 to 1) below which the anatomy shows through",
    "dsir-radius": "mm around where the transform puts the point, or around the point itself; 0 searches everywhere",
    "dsir-surroundings": "28 places 16 and 28 mm around the point must fit as well; off: the voxel's own vector alone",
    "dsir-follow": "after a click the views of the other scan go to the best match",
    "dsir-hover": "ask for what lies under the mouse, without a button",
    "dsir-amount": "of the overlay, in percent (keys [ and ])",
    "dsir-curtain": "where the curtain stands, in percent of a view's width; or drag its line (keys [ and ])",
    "dsir-drawn": "the deformation, a grid or arrows every 12 mm, as 3D Slicer draws it",
}

OVERLAYS = {
    "similarity": "the heat map, while a point is asked for",
    "before": "the moving scan as it came (Space)",
    "after": "the moving scan after registration (Space)",
    "Jacobian": "Jacobian determinant: 1 keeps volume, 0.5 halves it, below 0 the mapping folds",
    "displacement": "how far each point goes, in mm",
    "confidence": "chance, 0 to 1, that the result is within 4 mm of the truth; computed when first asked for",
}

MODES = {
    "blend": "both scans at once, by the opacity (C)",
    "curtain": "the fixed scan left of the line, the other right of it; drag the line (C)",
    "checkerboard": "both in squares of 24 mm: edges that break lie apart (C)",
}

PAIR = {
    "go": "bring the views of both scans to this pair",
    "name": "what this pair is called; click to change it",
    "chance": "chance, in percent, that the match is within 4 mm of the truth, as it was accepted",
    "apart": "mm between this pair and where the present result puts it",
    "delete": "forget this pair",
}
