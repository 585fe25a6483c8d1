"""Cohorts, their results, the courses behind a number and what changed, in the REST API."""

from analytics.api.cohorts import CohortViewSet

__all__ = ["CohortViewSet"]
