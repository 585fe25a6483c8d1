"""The desk's pages of imaging, along its subjects."""

from imaging.admin import lesions, readings, studies  # registers them

__all__ = ["lesions", "readings", "studies"]
