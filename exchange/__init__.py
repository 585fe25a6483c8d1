"""Data in and out: cohort files."""
