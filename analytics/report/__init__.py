"""The report of a cohort: its content once, as a page of the registry and as a PDF.

Nothing here imports the drawing or the typesetting engine before a report is made.
"""
