"""Template tags of analytics."""
