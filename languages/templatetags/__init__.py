"""Tags of the languages."""
