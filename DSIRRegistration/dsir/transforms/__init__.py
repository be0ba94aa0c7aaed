"""Mappings from fixed to moving: linear, displacement field, chains of them, inverses, Jacobian determinants."""
