"""Treatment: protocols, courses, cycles, administrations, discontinuations."""
