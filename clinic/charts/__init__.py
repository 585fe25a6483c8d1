"""Figures of one patient."""
