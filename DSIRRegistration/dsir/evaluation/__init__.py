"""Measuring registrations: pairs with a truth, metrics, tables."""
