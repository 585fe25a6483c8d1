"""Reads that look across the records of several apps."""
