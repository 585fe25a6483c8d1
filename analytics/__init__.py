"""Outcomes derived from the records, kept fresh, and the cohorts and results made of them."""
