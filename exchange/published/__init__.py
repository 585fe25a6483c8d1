"""The published cohort: its figures, synthetic patients who reproduce them, and the check that they do."""
