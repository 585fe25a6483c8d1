"""English: with ISO dates."""
