"""How dates and numbers are written, for the languages of the registry."""
