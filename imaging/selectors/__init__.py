"""Reads of imaging that are not rows of one model."""
