"""The two scans of a pair, by name."""

FIXED, MOVING = "fixed", "moving"
OTHER = {FIXED: MOVING, MOVING: FIXED}
