"""Measures of agreement: Dice, surface distances, target registration error."""
