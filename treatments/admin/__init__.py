"""The desk's pages of protocols, courses, what was given, laboratory values and toxicity."""

from treatments.admin import administrations, courses, laboratory, protocols, toxicity

__all__ = ["administrations", "courses", "laboratory", "protocols", "toxicity"]
