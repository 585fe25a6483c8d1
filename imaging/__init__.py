"""Imaging: studies at their timepoints and the readings of their response."""
