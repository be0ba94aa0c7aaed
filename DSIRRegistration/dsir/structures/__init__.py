"""Propagating structures: labels, points and surfaces through a transform."""
