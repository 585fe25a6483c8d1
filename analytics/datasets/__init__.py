"""Analysis data sets of a cohort or of a data lock, ADaM-shaped: ADSL, ADTTE, ADRS and ADTR, in files with a manifest.

In words: docs/exports.md. The door is ``analytics.datasets.export``.
"""
